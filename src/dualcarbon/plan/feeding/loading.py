"""A plan that was read -> the workspace: versions of plans side by side, their lines the same over versions."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.plan.feeding import feeding
from dualcarbon.plan.reading import facts, names
from dualcarbon.plan.store import install, writing
from dualcarbon.plan.tables import DEPARTMENT, DOCUMENT, FINDING, INDICATOR, POLICY, QUANTITY, RESPONSIBLE, TASK

_SHIPPED = re.compile(r"([\w-]+)/(\d{4})")


def load(workspace: Workspace, document: str | Path | Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
    """Put a plan into the workspace, as a new version when the plan is known with other facts.

    `document`: a file that `read_plan` reads, a plan that was read, or `PACK/YEAR` for the facts that a pack ships.
    Returns `{plan, version, already, title, year, place, tasks, policies, indicators, departments, findings,
    changed: {added, gone, altered}, dry_run}`; `already` says that these very facts stand and nothing changed.
    Raises Refused with every problem; nothing is half loaded.
    """
    found = _found(document)
    tables = found["tables"]
    problems = _faults(found)
    if problems:
        raise Refused(problems)
    place = _place(workspace, found["city"])
    plan = f"{place}-{found['year']}"
    home = feeding.folder(workspace.pack, found["year"])
    told = feeding.rules(home) if home is not None and _same_city(home, found["city"]) else {}
    aliases = feeding.settings(home)["department_aliases"] if told else {}
    told = told if _fits(home, tables["indicators"]) else {}
    rows = _rows(tables, told, aliases)
    digest = hashlib.sha256(json.dumps(rows, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
    install(workspace)
    with writing(workspace) as connection:
        known = connection.execute(sa.select(DOCUMENT).where(DOCUMENT.c.plan == plan).order_by(DOCUMENT.c.version))
        versions = known.mappings().all()
        last = versions[-1] if versions else None
        already = last is not None and last["digest"] == digest
        earlier = _lines(connection, [one["number"] for one in versions])
        rows, changed = _named(rows, earlier, last["number"] if last else None, connection)
        version = (last["version"] if last else 0) + (not already)
        number = last["number"] if last else 0
        if not already and not dry_run:
            head = {
                "plan": plan, "version": version, "place": place, "city": found["city"], "year": found["year"],
                "title": found["title"] or plan, "issued": found["issued"], "digest": digest,
                "document_number": found["document_number"], "status": found["source"]["status"],
                "source": json.dumps(found["source"], ensure_ascii=False), "file": found["file"],
                "pack": workspace.pack, "loaded": datetime.now(UTC).isoformat(timespec="seconds"),
            }  # fmt: skip
            number = connection.execute(DOCUMENT.insert().values(head).returning(DOCUMENT.c.number)).scalar_one()
            _keep(connection, number, rows)
        if not dry_run and found["findings"]:
            _check(connection, number, found["findings"])
        if not dry_run:
            _write_out(connection, number, found["texts"])
    counts = {name: len(tables[name]) for name in ("tasks", "policies", "indicators")}
    counts["departments"] = len(rows["department"])
    return {
        "plan": plan, "version": version, "already": already, "title": found["title"], "year": found["year"],
        "place": place, **counts, "findings": len(found["findings"]), "changed": changed, "dry_run": dry_run,
    }  # fmt: skip


def _found(document: str | Path | Mapping[str, Any]) -> dict[str, Any]:
    """Return the head, tables and findings of what was handed in."""
    if isinstance(document, Mapping):
        return _read(document, str(document.get("file") or ""))
    shipped = _SHIPPED.fullmatch(str(document))
    if shipped and not Path(document).exists():
        try:
            plan = facts.shipped(shipped[1], int(shipped[2]))
        except (KeyError, FileNotFoundError) as error:
            raise Refused(Problem("plan.no-shipped-plan", value=str(document))) from error
        head = {name: plan[name] for name in ("title", "year", "issued", "document_number")}
        tables = {name: plan[name] for name in facts.COLUMNS}
        return head | {
            "tables": tables, "city": plan["place"], "findings": [], "texts": {}, "file": None, "source": plan["source"]
        }  # fmt: skip
    from dualcarbon.plan import read_plan

    return _read(read_plan(document), Path(document).name)


def _read(plan: Mapping[str, Any], file: str) -> dict[str, Any]:
    head = {name: plan[name] for name in ("title", "year", "issued", "document_number")}
    source = {"title_zh": plan["title"], "status": "secondary", "evidence": "a copy of the text was read"}
    return head | {
        "tables": facts.tables(plan), "city": plan.get("place"), "findings": list(plan.get("findings", ())),
        "texts": {one["number"]: one["text"] for one in plan["tasks"] if one.get("text")},
        "file": file, "source": source,
    }  # fmt: skip


def _faults(found: Mapping[str, Any]) -> list[Problem]:
    problems = []
    if not found["year"]:
        problems.append(Problem("plan.no-year", file=found["file"]))
    if not found["city"]:
        problems.append(Problem("plan.no-city", file=found["file"]))
    for name in ("tasks", "policies", "indicators"):
        seen: set[int] = set()
        for row in found["tables"][name]:
            if row["number"] in seen:
                problems.append(Problem("plan.number-twice", file=found["file"], column=name, value=row["number"]))
            seen.add(row["number"])
    return problems


def _place(workspace: Workspace, city: str) -> str:
    """Return the place's code in the pack, else the city's own name."""
    from dualcarbon.core.classification import load as codes

    return codes(workspace.pack).places.find(city) or city


def _same_city(home: Path, city: str) -> bool:
    return bool(facts.read(home)["place"] == city)


def _fits(home: Path | None, indicators: list[dict[str, Any]]) -> bool:
    """Whether the plan's table of indicators is the one that the pack's feeds speak of."""
    if home is None:
        return False
    shipped = {row["number"]: names.core(row["name"]) for row in facts.read(home)["indicators"]}
    return all(shipped.get(row["number"]) == names.core(row["name"]) for row in indicators)


def _rows(
    tables: Mapping[str, list[dict[str, Any]]], told: Mapping[int, Any], aliases: Mapping[str, list[str]]
) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of the database, without document and line, from the tables of facts."""
    means = {other: name for name, others in aliases.items() for other in others}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in ("task", "quantity", "policy", "indicator")}
    people: dict[str, None] = {row["name"]: None for row in tables["departments"]}

    def listed(text: str | None) -> list[str]:
        found = [means.get(one, one) for one in re.split(r"[|、]", text or "") if one]
        people.update(dict.fromkeys(found))
        return list(dict.fromkeys(found))

    for row in tables["tasks"]:
        kept = {"position": row["number"], "title": row["title"], "domain": row["domain"], "due": row["due"]}
        roles = {role: listed(row[role]) for role in ("lead", "joint")}
        rows["task"].append({**kept, "text": None, "others": row["others"] or None, "_roles": roles})
    for row in tables["quantities"]:
        kept = {name: row[name] for name in facts.COLUMNS["quantities"] if name != "task"}
        rows["quantity"].append({**kept, "stretch": bool(row["stretch"]), "_task": row["task"]})
    for row in tables["policies"]:
        kept = {"position": row["number"], "title": row["title"], "due": row["due"]}
        drafters = listed(row["drafter"])
        rows["policy"].append({**kept, "drafter": "、".join(drafters) or None, "_roles": {"drafter": drafters}})
    for row in tables["indicators"]:
        kept = {name: row[name] for name in ("name", "kind", "value", "high", "comparison", "direction", "domain")}
        kept |= {"unit": row["unit"] or "", "better": row["better"] or "higher", "text": row["text"] or ""}
        kept |= feeding.rule(row, told.get(row["number"])) | {"stretch": bool(row["stretch"])}
        if row.get("incentive") is not None:  # absent, it leaves the digest of plans loaded before as it was
            kept["incentive"] = row["incentive"]
        roles = {"lead": listed(row["lead"])}
        rows["indicator"].append({**kept, "position": row["number"], "tasks": row["tasks"] or None, "_roles": roles})
    rows["department"] = [{"name": name, "aliases": "|".join(aliases.get(name, ()))} for name in people]
    return rows


_KINDS = (("task", "T", TASK, "title"), ("policy", "P", POLICY, "title"), ("indicator", "I", INDICATOR, "name"))


def _lines(connection: sa.Connection, documents: list[int]) -> dict[str, dict[str, str]]:
    """Return for each kind the line of every name that a version of the plan had."""
    found: dict[str, dict[str, str]] = {}
    for kind, _, table, title in _KINDS:
        chosen = sa.select(table.c.line, table.c[title]).where(table.c.document.in_(documents))
        found[kind] = {names.core(row[1]): row[0] for row in connection.execute(chosen.order_by(table.c.document))}
    return found


def _named(
    rows: dict[str, list[dict[str, Any]]],
    earlier: Mapping[str, Mapping[str, str]],
    last: int | None,
    connection: sa.Connection,
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, list[str]]]:
    """Return the rows with their lines, and which lines the last version had not, has no more or has otherwise.

    A line keeps its code while its name stays; a new name gets the code of its number, or the next free one.
    """
    changed: dict[str, list[str]] = {"added": [], "gone": [], "altered": []}
    for kind, letter, table, title in _KINDS:
        taken = set(earlier[kind].values())
        used: set[str] = set()
        for row in rows[kind]:
            line = earlier[kind].get(names.core(row[title]))
            if line is None or line in used:
                line = f"{letter}{row['position']}"
                most = max((int(one[1:]) for one in taken | used), default=0)
                if line in taken | used:
                    line = f"{letter}{most + 1}"
            used.add(line)
            row["line"] = line
        if last is None:
            continue
        stood = {r["line"]: r for r in connection.execute(sa.select(table).where(table.c.document == last)).mappings()}
        now = {row["line"]: row for row in rows[kind]}
        changed["added"] += sorted(now.keys() - stood.keys())
        changed["gone"] += sorted(stood.keys() - now.keys())
        changed["altered"] += [
            line
            for line in now.keys() & stood.keys()
            if any(stood[line][name] != value for name, value in now[line].items() if name in table.c)
        ]
    return rows, {name: sorted(lines) for name, lines in changed.items()}


def _keep(connection: sa.Connection, document: int, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Write one version of a plan."""
    tasks = {row["position"]: row["line"] for row in rows["task"]}
    responsible = [
        {"document": document, "line": row["line"], "department": department, "role": role}
        for kind in ("task", "policy", "indicator")
        for row in rows[kind]
        for role, departments in row["_roles"].items()
        for department in departments
    ]
    quantities = [{**row, "line": tasks.get(row["_task"])} for row in rows["quantity"]]
    for table, kept in (
        (DEPARTMENT, rows["department"]),
        (TASK, rows["task"]),
        (POLICY, rows["policy"]),
        (INDICATOR, rows["indicator"]),
        (QUANTITY, quantities),
        (RESPONSIBLE, responsible),
    ):
        plain = [{c.name: row.get(c.name) for c in table.columns if c.name != "number"} for row in kept]
        if plain:
            connection.execute(table.insert(), [{**row, "document": document} for row in plain])


def _write_out(connection: sa.Connection, document: int, texts: Mapping[int, str]) -> None:
    """Keep the text of tasks beside their facts, also where the facts were there before the document was read."""
    for position, text in texts.items():
        own = (TASK.c.document == document) & (TASK.c.position == position)
        connection.execute(TASK.update().where(own).values(text=text))


def _check(connection: sa.Connection, document: int, findings: list[Any]) -> None:
    """Keep what the check of a version's document against itself found, in the place of what it found before."""
    fresh = [{"document": document, **_finding(one)} for one in findings]
    chosen = sa.select(FINDING).where(FINDING.c.document == document).order_by(FINDING.c.number)
    known = [{name: row[name] for name in fresh[0]} for row in connection.execute(chosen).mappings()]
    if known != fresh:
        connection.execute(FINDING.delete().where(FINDING.c.document == document))
        connection.execute(FINDING.insert(), fresh)


def _finding(one: Mapping[str, Any]) -> dict[str, Any]:
    places = json.dumps(one["places"], ensure_ascii=False)
    said = {"message_zh": one["message"], "message_en": one["message_en"]}
    return {"rule": one["rule"], "sort": one["class"], "places": places, **said}
