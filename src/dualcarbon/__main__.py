"""``python -m dualcarbon``: the command-line program."""

from dualcarbon.app.cli import main

main()
