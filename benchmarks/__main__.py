"""``python -m benchmarks NAME [--json] …``: run one benchmark of the registry.

A benchmark is a module of this package with ``HELP``, ``add_arguments(parser)`` and ``run(arguments) -> dict``.
"""

import argparse
import importlib
import json
import pkgutil
from pathlib import Path

NAMES = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]) if module.name[0] != "_")


def main() -> None:
    """Parse the command line, run the benchmark, print its figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measured as ratios against peers.")
    commands = parser.add_subparsers(dest="name", required=True)
    modules = {name: importlib.import_module(f"benchmarks.{name}") for name in NAMES}
    for name, module in modules.items():
        command = commands.add_parser(name, help=module.HELP)
        command.add_argument("--json", action="store_true", help="print one JSON document")
        module.add_arguments(command)
    arguments = parser.parse_args()
    result = modules[arguments.name].run(arguments)
    if arguments.json:
        print(json.dumps(result, ensure_ascii=False, indent=2))
    else:
        for key, value in result.items():
            print(f"{key}: {value}")


if __name__ == "__main__":
    main()
