# make run     set up, build the demonstration city if absent, serve its pages on this machine
# make test    set up for tests and check everything (ruff, mypy, import-linter, pytest)
# Mirrors and proxies: pip and npm read their own configuration.

PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
BIN := .venv/bin
WORKSPACE ?= workspace

.PHONY: setup setup-dev run test bench soak docs lock python

python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed / 需要 Python 3.11 或更新版本"; exit 1; }

setup: python
	@$(PYTHON) -m tools.environment run
	@$(PYTHON) -m tools.assets

setup-dev: python
	@$(PYTHON) -m tools.environment dev
	@$(PYTHON) -m tools.assets
	@$(BIN)/python -m tools.browser

run: setup
	@test -f $(WORKSPACE)/dualcarbon.toml || $(BIN)/dualcarbon demo --workspace $(WORKSPACE)
	@$(BIN)/dualcarbon serve --workspace $(WORKSPACE)

test: setup-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto --dist loadfile

bench: setup-dev
	$(BIN)/python -m benchmarks engine

soak: setup-dev
	$(BIN)/python -m pytest -m slow -n auto

docs: setup
	$(BIN)/python -m dualcarbon.app.docs

lock: python
	$(PYTHON) -m tools.lock
