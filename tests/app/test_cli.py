import importlib
import json
import resource
import subprocess
import sys

import pytest

from dualcarbon.app.rooms import ENTRIES, SECTIONS

HEAVY = (
    "polars",
    "duckdb",
    "sympy",
    "pint",
    "numpy",
    "scipy",
    "fastapi",
    "sqlalchemy",
    "deltalake",
    "rich",
    "narwhals",
)


def test_help_imports_nothing_heavy_and_is_quick():
    """Processor time, not the clock's, so that a busy machine does not decide."""
    program = (
        "import sys, json\n"
        "from dualcarbon.app.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    modules = set(json.loads(done.stderr))
    assert not modules & set(HEAVY)
    rooms = {entry.module for entry in ENTRIES}
    assert not modules & rooms
    assert min(seconds) < 0.3


def test_help_is_chinese_by_default_and_english_when_asked(dualcarbon):
    assert "某地区某时期的碳账户" in dualcarbon("--help").out
    for english in (dualcarbon("--lang", "en", "--help"), dualcarbon("--help", DUALCARBON_LANG="en")):
        assert "the carbon account of a place and period" in english.out
        assert english.code == 0
    assert dualcarbon("--help", "--lang", "fr").code == 2


@pytest.mark.parametrize("name", sorted({entry.name for entry in ENTRIES}))
def test_every_verb_is_there_and_explains_itself_in_both_languages(name):
    """In one process for speed: help texts are settled when a module loads, so only its own language is asked here."""
    from dualcarbon.app.cli import load

    command = load(name)
    assert command is not None
    assert command.help or command.name == name


def test_verbs_stand_under_a_section_that_exists():
    assert {entry.section for entry in ENTRIES} <= set(SECTIONS)


def test_modules_of_verbs_import_nothing_heavy_at_their_top():
    modules = sorted({entry.module for entry in ENTRIES})
    program = f"import sys\nfor name in {modules!r}: __import__(name)\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True)
    assert not set(loaded.stdout.split()) & (set(HEAVY) - {"rich"})


def test_usage_errors_name_the_fault_and_exit_2(dualcarbon):
    unknown = dualcarbon("bogus")
    assert (unknown.code, unknown.out) == (2, "")
    assert "没有这个命令：bogus" in unknown.err
    option = dualcarbon("doctor", "--jsn", "--lang", "en")
    assert option.code == 2
    assert "--jsn" in option.err and "dualcarbon doctor --help" in option.err


def test_doctor_says_what_is_there_and_what_to_do(dualcarbon, tmp_path):
    fine = dualcarbon("doctor", "--json")
    names = [check["name"] for check in fine.json["checks"]]
    assert {"python", "libraries", "database", "assets", "disk", "port", "fonts", "browser"} == set(names)
    assert fine.code == (0 if fine.json["ok"] else 1)
    broken = dualcarbon("doctor", "--json", DUALCARBON_DATABASE_URL=f"sqlite:///{tmp_path}/none/none.db")
    assert broken.code == 1 and "database" in broken.json["missing"]
    remedy = next(check["remedy"] for check in broken.json["checks"] if check["name"] == "database")
    assert "DUALCARBON_DATABASE_URL" in remedy


def test_refusals_are_printed_as_the_program_promises(capsys):
    console = importlib.import_module("dualcarbon.core.console")
    problems = importlib.import_module("dualcarbon.core.problems")
    problem = problems.Problem("core.unknown-carrier", file="a.csv", row=3, column="carrier", value="煤油2")
    console.refusal([problem], json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["problems"][0]["rule"] == "core.unknown-carrier"
    assert told["problems"][0]["row"] == 3
    console.refusal([problem], json=False)
    shown = capsys.readouterr()
    assert shown.out == "" and "a.csv" in shown.err and "煤油2" in shown.err


def test_json_documents_hold_no_nan_and_keep_chinese(capsys):
    console = importlib.import_module("dualcarbon.core.console")
    console.emit({"值": [1.5, float("nan")], "missing": None}, True)
    out = capsys.readouterr().out
    assert json.loads(out) == {"值": [1.5, None], "missing": None} and "值" in out
