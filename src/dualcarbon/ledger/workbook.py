"""An account's statement as an Excel workbook: the account above, one entry a row below."""

import io
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from dualcarbon.ledger import reads

MOST = 200_000
EXACT = 2**53  # Excel holds numbers as float64; larger integers are written as text
COLUMNS = {
    "seq": ("分录号", "entry", 10),
    "at": ("日期时间", "at", 26),
    "id": ("编号", "id", 30),
    "counterparty": ("对方账户", "counterparty", 34),
    "state": ("状态", "state", 10),
    "amount": ("数量", "amount", 16),
    "change": ("增减", "change", 16),
    "balance": ("余额", "balance", 18),
    "pending_id": ("所指待定分录", "pending entry", 24),
    "reverses": ("冲销", "reverses", 24),
    "reason": ("理由", "reason", 40),
    "recorded": ("记账时间", "recorded", 26),
}


def statement_workbook(
    engine: sa.Engine, account: str, *, since: int | None = None, until: int | None = None, lang: str = "zh"
) -> bytes:
    """The bytes of the .xlsx; at most 200,000 entries, and the sheet says where it stops.

    `since` and `until` (microseconds, inclusive) bound the entries' dates. Raises Refused (`ledger.account-not-found`).
    """
    from openpyxl import Workbook
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    english = lang == "en"
    head = reads.balance(engine, account)
    book = Workbook(write_only=True)
    sheet = book.create_sheet("statement" if english else "对账单")
    for number, (_, _, width) in enumerate(COLUMNS.values(), 1):
        sheet.column_dimensions[get_column_letter(number)].width = width
    sheet.freeze_panes = "A7"

    def write(values: list[Any], bold: bool = False) -> None:
        sheet.append([_cell(sheet, value, Font(bold=bold)) for value in values])

    names = ("account", "instrument", "owner", "balance, now") if english else ("账户", "品种", "所有人", "现余额")
    unit = head["unit"] or ""
    write([names[0], account], bold=True)
    write([names[1], f"{head['instrument']}（{unit}）" if unit else head["instrument"]])
    write([names[2], head["owner"]])
    write([names[3], head["balance"]])
    write([])
    write([one[int(english)] for one in COLUMNS.values()], bold=True)
    for count, line in enumerate(_lines(engine, account, since, until)):
        if count == MOST:
            write([f"更多分录未列出，请按日期分段导出。More entries follow: export by parts. ({MOST:,})"])
            break
        write([line[name] for name in COLUMNS])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _lines(engine: sa.Engine, account: str, since: int | None, until: int | None) -> Iterator[dict[str, Any]]:
    after: int | None = 0
    while after is not None:
        page = reads.statement(engine, account, since=since, until=until, after=after, limit=reads.MOST_ROWS)
        yield from page["entries"]
        after = page["next"]


def _cell(sheet: Any, value: Any, font: Any) -> Any:
    """A cell that Excel shows as it is: no text becomes a formula, no large integer loses its last digits."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    number = isinstance(value, int) and abs(value) < EXACT
    if not number and value is not None:
        value = ILLEGAL_CHARACTERS_RE.sub(" ", str(value))
    cell = WriteOnlyCell(sheet, value)
    if number:
        cell.number_format = "#,##0"
    elif value is not None:
        cell.data_type = "s"
    cell.font = font
    return cell
