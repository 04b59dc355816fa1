"""Keys: numbers stand for the same rows as the values do, and sums by number are the sums by value."""

from datetime import date
from typing import Any

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dualcarbon.engine.keys import dense, numbered, summed

SCHEMA = {"place": pl.String, "start": pl.Date, "code": pl.Int64, "memo": pl.Boolean, "share": pl.Float64}
rows_of = st.lists(
    st.tuples(
        st.sampled_from(["330481", "330483", "嘉兴", "", None]),
        st.sampled_from([date(2023, 1, 1), date(1, 1, 1), date(9999, 1, 1), None]),
        st.sampled_from([-7, 0, 2**40, None]),
        st.sampled_from([True, False, None]),
        st.sampled_from([0.5, -1.0, None]),
    ),
    max_size=40,
)


@given(rows_of, st.lists(st.sampled_from(list(SCHEMA)), unique=True))
def test_a_number_gives_back_its_key_and_no_two_numbers_have_one(rows: list[tuple[Any, ...]], by: list[str]) -> None:
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    number, keys = numbered(frame, by)
    assert keys.columns == by
    assert len(number) == frame.height
    assert sorted(set(number.tolist())) == list(range(keys.height))
    if by:
        assert keys[number].equals(frame.select(by))
        assert keys.height == frame.select(by).unique().height


@given(st.lists(st.tuples(st.sampled_from([0, 3, 5, 1200, 5000, 10**12]), st.floats(-1e6, 1e6)), max_size=60))
def test_sums_by_code(pairs: list[tuple[int, float]]) -> None:
    codes, values = np.array([c for c, _ in pairs], np.int64), np.array([v for _, v in pairs], np.float64)
    found, sums = summed(codes, values)
    assert sorted(found.tolist()) == sorted({c for c, _ in pairs})
    for code, total in zip(found, sums, strict=True):
        assert abs(total - sum(v for c, v in pairs if c == code)) < 1e-3


@given(st.lists(st.integers(0, 10**15), max_size=50))
def test_dense_codes_keep_the_order(codes: list[int]) -> None:
    number, count = dense(np.array(codes, np.int64))
    assert count == len(set(codes))
    order = sorted(set(codes))
    assert number.tolist() == [order.index(code) for code in codes]
