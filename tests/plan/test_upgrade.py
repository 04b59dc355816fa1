"""Tables that an earlier version made are brought to the present form, with all that they hold, on both databases."""

from datetime import date

import pytest
import sqlalchemy as sa

from dualcarbon import plan
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan import Told, store
from dualcarbon.plan.assessing import warnings


def earlier(workspace: Workspace) -> None:
    """Put the tables back into an earlier form: no answers to warnings, columns and an index missing."""
    with workspace.database.begin() as connection:
        connection.execute(sa.text("DROP TABLE plan_warning_answer"))
        connection.execute(sa.text("DROP INDEX plan_report_line"))
        for column in ("plan_mirror DROP COLUMN query", "plan_report DROP COLUMN remark"):
            connection.execute(sa.text(f"ALTER TABLE {column}"))
    workspace.database.dispose()
    store._UP.discard(workspace.database)


def test_tables_of_an_earlier_version(place: Workspace) -> None:
    plan.load(place, "cn-jiaxing/2024")
    plan.tell(place, None, 3, [Told("I42", 3, 18.5)], at=date(2024, 4, 8))
    before = plan.reports(place)
    shape = columns(place)
    earlier(place)
    assert columns(place) != shape
    again = Workspace(place.path)
    assert plan.reports(again).equals(before)  # read first: nothing had to be written by hand
    assert columns(again) == shape
    plan.tell(again, None, 4, [Told("I42", 4, 25, remark="港口月报")], at=date(2024, 5, 8))
    assert plan.reports(again)["remark"].to_list() == [None, "港口月报"]
    assert warnings.answer(again, "behind/I42", action="acknowledge")["state"]
    with pytest.raises(sa.exc.DBAPIError), again.database.begin() as connection:
        connection.execute(sa.text("UPDATE plan_report SET value = 1"))
    with pytest.raises(sa.exc.DBAPIError), again.database.begin() as connection:
        connection.execute(sa.text("DELETE FROM plan_warning_answer"))


def columns(workspace: Workspace) -> dict[str, tuple[set[str], set[str | None]]]:
    """Columns and indexes of the plan room's tables as they stand in the database."""
    inspector = sa.inspect(workspace.database)
    return {
        name: ({one["name"] for one in inspector.get_columns(name)}, {i["name"] for i in inspector.get_indexes(name)})
        for name in inspector.get_table_names()
        if name.startswith("plan_")
    }
