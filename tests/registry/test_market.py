"""Offers, acceptance, matching, delivery against payment, price series; rights with caps, kinds and regions."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcarbon.core.problems import Refused
from dualcarbon.ledger import reads as ledger
from dualcarbon.registry import matching, prices, reads
from dualcarbon.registry.rights import bought, certificates_due
from tests.registry.chain import REDUCTION, imported, issued, rule


def balance(registry, account):
    found = ledger.balance(registry.engine, account)
    return found["balance"], found["available"]


def blocks(registry):
    found = reads.find(registry.engine, limit=1000)["blocks"]
    return {one["text"].partition(":")[2]: (one["holder"], one["state"]) for one in found}


@pytest.fixture
def market(registry):
    """500 kg of 业主, of which 300 are offered at 35.00 yuan the tonne."""
    issued(registry)
    offer(registry)
    return registry


def offer(registry, id="O1", holder="业主", quantity=300, price="35.00", **said):
    return registry.do("offer", id, instrument=REDUCTION, holder=holder, quantity=quantity, price=price, **said)


def test_delivery_against_payment(market):
    do = market.do
    assert balance(market, f"{REDUCTION}|业主") == (500, 200)
    assert rule(market.transfer, "T", REDUCTION, "业主", "丙", 201) == "registry.refused-by-ledger"
    assert rule(do, "accept", "X1", offer="O1", holder="业主") == "registry.same-holder"
    assert rule(do, "accept", "X1", offer="O1", holder="丙", quantity=301) == "registry.more-than-left"
    assert rule(do, "accept", "X1", offer="O9", holder="丙") == "registry.no-such-offer"
    bought = do("accept", "X1", offer="O1", holder="丙", quantity=120, due="2099-01-01")
    assert (bought["price"], bought["amount"], bought["state"]) == (3500, 420, "pending")
    assert balance(market, f"{REDUCTION}|业主") == (500, 200) and balance(market, "payment.CNY|丙") == (0, -420)
    assert blocks(market) == {
        "1-120": ("业主", "reserved"), "121-300": ("业主", "offered"), "301-500": ("业主", "held"),
    }  # fmt: skip
    assert rule(do, "settle", "S1", trade="X1") == "registry.needs"
    assert rule(do, "settle", "S1", trade="X1", payment="回单", actor="丙") == "registry.not-the-party"
    assert do("settle", "S1", trade="X1", payment="回单 1")["role"] == "seller"
    assert rule(do, "settle", "S2", trade="X1", payment="回单 1") == "registry.trade-not-pending"
    assert balance(market, f"{REDUCTION}|丙") == (120, 120) and balance(market, "payment.CNY|业主") == (420, 420)
    do("accept", "X2", offer="O1", holder="丁", quantity=80)
    assert rule(do, "void", "V1", trade="X2") == "registry.needs"
    do("void", "V1", trade="X2", reason="买方未付款")
    assert balance(market, f"{REDUCTION}|业主") == (380, 280)
    assert rule(do, "withdraw", "W1", offer="O1", actor="丙") == "registry.not-the-party"
    assert do("withdraw", "W1", offer="O1")["quantity"] == 100
    assert rule(do, "accept", "X3", offer="O1", holder="丁") == "registry.offer-not-open"
    assert blocks(market) == {"1-120": ("丙", "held"), "121-500": ("业主", "held")}
    assert balance(market, f"{REDUCTION}|业主") == (380, 380) and reads.check(market.engine) == []
    told = prices.trade(market.engine, "X1")
    assert (told["state"], told["payment"], told["way"]) == ("settled", "回单 1", "listing")
    assert [one["action"] for one in reads.life(market.engine, REDUCTION, 5)] == ["issue", "offer", "accept", "settle"]
    assert rule(prices.trade, market.engine, "X9") == "registry.no-such-trade"


def test_an_agreement_is_for_one_party(market):
    offer(market, "O2", quantity=100, price="30", counterparty="丙")
    assert rule(market.do, "accept", "X", offer="O2", holder="丁") == "registry.not-the-counterparty"
    assert market.do("accept", "X", offer="O2", holder="丙")["way"] == "agreement"
    assert prices.book(market.engine, REDUCTION)["asks"] == [{"price": 3500, "quantity": 300, "offers": 1}]


def test_what_has_run_out_lapses(market):
    do = market.do
    early = {"at": "2030-01-01"}
    assert rule(offer, market, "O2", quantity=50, expires="2029-12-31", **early) == "registry.expires-too-early"
    offer(market, "O2", quantity=50, expires="2030-06-01", **early)
    assert rule(do, "accept", "X", offer="O2", holder="丙", at="2030-06-01") == "registry.offer-over"
    assert rule(do, "lapse", "E1", offer="O2", at="2030-05-01") == "registry.not-over"
    do("accept", "X", offer="O2", holder="丙", quantity=20, due="2030-02-10", at="2030-02-01")
    assert rule(do, "settle", "S", trade="X", payment="迟到", at="2030-02-10") == "registry.trade-overdue"
    assert rule(do, "lapse", "E1", trade="X", at="2030-02-09") == "registry.not-over"
    do("lapse", "E1", trade="X", at="2030-02-10")
    do("lapse", "E2", offer="O2", at="2030-06-01")
    assert balance(market, f"{REDUCTION}|业主") == (500, 200) and reads.check(market.engine) == []
    assert [one["state"] for one in prices.offers(market.engine)["offers"]] == ["open", "lapsed"]


def test_bids_and_matching(market):
    do = market.do
    offer(market, "O2", quantity=100, price="33.00")
    offer(market, "B1", holder="丙", quantity=150, price="34.00", side="buy")
    offer(market, "B2", holder="丁", quantity=150, price="36.50", side="buy")
    assert rule(do, "match", "X", instrument="gec") == "registry.way-not-open"
    book = prices.book(market.engine, REDUCTION)
    assert [one["price"] for one in book["asks"]] == [3300, 3500]
    assert [one["price"] for one in book["bids"]] == [3650, 3400]
    found = do("match", "X", instrument=REDUCTION)["trades"]
    # 100 of the cheapest to the highest bid at the older price, then 50 of the next; 34.00 does not reach 35.00.
    told = [(one["seller"], one["buyer"], one["quantity"], one["price"]) for one in found]
    assert told == [("业主", "丁", 100, 3300), ("业主", "丁", 50, 3500)]
    assert do("match", "Y", instrument=REDUCTION)["trades"] == []
    for n, one in enumerate(found):
        do("settle", f"S{n}", trade=one["trade"], payment="回单", at="2030-05-02")
    (month,) = prices.series(market.engine, code=REDUCTION)
    told = [month[name] for name in ("month", "count", "volume", "low", "high")]
    assert told == ["2030-05", 2, 150, 3300, 3500]
    assert month["mean"] == pytest.approx((100 * 3300 + 50 * 3500) / 150)
    sold = do("accept", "Z", offer="B1", holder="丁", quantity=120)
    assert (sold["seller"], sold["buyer"], sold["role"]) == ("丁", "丙", "seller")
    do("settle", "SZ", trade="Z", payment="回单", at="2030-06-02")
    assert [one["month"] for one in prices.series(market.engine)] == ["2030-05", "2030-06"]
    assert balance(market, f"{REDUCTION}|丙") == (120, 120) and reads.check(market.engine) == []
    do("withdraw", "W", offer="B1")
    assert prices.book(market.engine, REDUCTION)["bids"] == []


def test_a_lot_on_offer_cannot_be_cancelled(market):
    gone = {"instrument": REDUCTION, "lot": "签发-1", "reason": "有误"}
    assert rule(market.do, "cancel", "C", **gone) == "registry.lot-on-offer"
    market.do("withdraw", "W", offer="O1")
    assert market.do("cancel", "C", **gone)["quantity"] == 500


def test_energy_rights(registry):
    year = {"instrument": "energy_right", "vintage": "2026"}
    do = registry.do
    do("issue", "I1", holder="平湖市", quantity=1_000_000, kind="增量", document="指标", **year)
    sold = {**year, "seller": "平湖市", "document": "协议"}
    with pytest.raises(Refused) as refused:
        do("transfer", "T0", buyer="甲厂", quantity=1, kind="借用", **sold)
    (problem,) = refused.value.problems
    assert problem.rule == "registry.kind-unknown"
    assert "（increment）" in problem.line("zh") and " (increment)" in problem.line("en")
    do("transfer", "T1", buyer="甲厂", quantity=400_000, kind="increment", **sold)
    assert rule(do, "transfer", "T2", buyer="甲厂", quantity=100_001, kind="增量", **sold) == "registry.seller-cap"
    said = {**year, "holder": "平湖市", "price": "120.50", "kind": "增量"}
    assert rule(do, "offer", "O1", quantity=100_001, **said) == "registry.seller-cap"
    do("offer", "O1", quantity=100_000, **said)
    traded = do("accept", "X1", offer="O1", holder="乙厂")
    assert traded["amount"] == 12_050_00 and traded["kind"] == "increment"
    assert rule(do, "transfer", "T3", buyer="甲厂", quantity=1, kind="增量", **sold) == "registry.seller-cap"
    do("transfer", "T3", buyer="甲厂", quantity=1, kind="存量", **sold)
    assert bought(registry.engine, "甲厂", "2026", 500_000) == {"held": 400_001, "short": 99_999}
    assert bought(registry.engine, "甲厂", "2027", 500_000) == {"held": 0, "short": 500_000}


def test_a_term_of_years_is_a_vintage_each(registry):
    grant = {"instrument": "pollutant_nox", "holder": "甲厂", "quantity": 5_000_000, "document": "许可", "years": 5}
    made = registry.do("grant", "G", vintage="2026", **grant)
    assert [one["vintage"] for one in made["years"]] == ["2026", "2027", "2028", "2029", "2030"]
    assert registry.do("grant", "G", vintage="2026", **grant)["result"] == "exists"
    assert len(reads.holdings(registry.engine, "甲厂")) == 5
    assert rule(registry.do, "grant", "H", vintage="二六", **grant) == "registry.vintage-missing"
    tried = registry.do("grant", "H", vintage="2031", dry_run=True, **grant)
    assert tried["result"] == "would_be_ok" and len(reads.holdings(registry.engine, "甲厂")) == 5


def test_pollutant_rights_cross_regions(registry):
    year = {"instrument": "pollutant_cod", "vintage": "2026"}
    registry.do("issue", "I1", holder="甲厂", quantity=9_000_000, document="许可", **year)
    said = {**year, "holder": "甲厂", "quantity": 2_000_000, "price": "8000", "place": "平湖市"}
    registry.do("offer", "O1", **said)
    traded = registry.do("accept", "X1", offer="O1", holder="乙厂", place="海宁市")
    assert traded["cross_region"] == {
        "from": "330482", "to": "330481", "ratio": None, "status": "unverified", "extra": 0,
    }  # fmt: skip
    assert traded["amount"] == 16_000_00
    (row,) = prices.trades(registry.engine)["trades"]
    assert row["cross_region"] is True and prices.trades(registry.engine, party="丙厂")["trades"] == []
    wrong = {"seller": "甲厂", "buyer": "乙厂", "quantity": 1, "document": "d", "seller_place": "平湖市"}
    assert rule(registry.do, "transfer", "T1", buyer_place="某地", **wrong, **year) == "registry.place-unknown"


def test_certificates_move_by_agreement_only(registry):
    imported(registry)
    said = {"instrument": "gec", "holder": "甲厂", "quantity": 10, "price": "3"}
    assert rule(registry.do, "offer", "O1", **said) == "registry.way-not-open"
    assert registry.do("offer", "O1", counterparty="乙厂", **said)["way"] == "agreement"
    assert rule(registry.do, "offer", "O2", counterparty="乙厂", **{**said, "price": "3.005"}) == (
        "registry.price-unusable"
    )


def test_points_are_issued_traded_and_used(registry):
    registry.issue("I1", "inclusive_points", "居民甲", 300, document="2026 年 5 月骑行")
    points = {"instrument": "inclusive_points", "quantity": 100}
    registry.do("offer", "O1", holder="居民甲", price="0.01", **points)
    registry.do("offer", "O2", holder="商户乙", price="0.01", side="buy", **points)
    (trade,) = registry.do("match", "X", instrument="inclusive_points")["trades"]
    registry.do("settle", "S", trade=trade["trade"], payment="积分商城 1")
    registry.retire("R", "inclusive_points", "商户乙", 100, purpose="兑换", beneficiary="居民甲")
    (sums,) = reads.totals(registry.engine)
    assert (sums["issued"], sums["held"], sums["retired"]) == (300, 200, 100)


@given(st.lists(st.integers(0, 10**9), max_size=24), st.integers(0, 999))
def test_no_kilowatt_hour_is_lost_in_the_remainder(months, carried):
    rows = certificates_due(months, 1000, carried)
    whole = sum(row["certificates"] for row in rows)
    last = rows[-1]["carried"] if rows else carried
    assert sum(months) + carried == 1000 * whole + last and 0 <= last < 1000


ORDERS = st.lists(
    st.tuples(st.booleans(), st.sampled_from("甲乙丙"), st.integers(1, 50), st.integers(1, 9)), max_size=14
)


@given(ORDERS)
@settings(max_examples=200)
def test_matching_leaves_nothing_that_could_still_meet(orders):
    asks = [matching.Order(n, *rest) for n, (sells, *rest) in enumerate(orders) if sells]
    bids = [matching.Order(n, *rest) for n, (sells, *rest) in enumerate(orders) if not sells]
    given_orders = {order.number: order for order in (*asks, *bids)}
    left = {number: order.left for number, order in given_orders.items()}
    for pair in matching.pairs(asks, bids):
        ask, bid = given_orders[pair.ask], given_orders[pair.bid]
        assert ask.price <= pair.price <= bid.price and ask.party != bid.party and pair.quantity > 0
        left[pair.ask] -= pair.quantity
        left[pair.bid] -= pair.quantity
    assert min(left.values(), default=0) >= 0
    assert not any(
        left[a.number] and left[b.number] and a.party != b.party and b.price >= a.price for a in asks for b in bids
    )


@given(st.integers(0, 10**9), st.integers(1, 10**9), st.sampled_from([1, 1000, 10**6]))
def test_an_amount_is_rounded_half_up(price, quantity, per):
    cost = matching.amount(price, quantity, per)
    assert -per <= 2 * (price * quantity - cost * per) < per
