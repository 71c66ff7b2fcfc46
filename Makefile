# Self-documenting: a target followed by `## text` appears in `make help`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
OUT    ?= rendered
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help dashboards verify explain drift test test-long chaos test-quick lint types layers check format golden \
        bench mutants tools tools-min venv dev clean

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST) \
	  | { if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi; }

dashboards: venv tools-min ## Regenerate rendered/ from catalog/, run every proof, print a summary
	@$(BIN)/tierwatch generate --catalog catalog --out $(OUT)
	@$(BIN)/tierwatch verify --catalog catalog

verify: venv tools-min ## Run every proof and every judge on catalog/, write nothing
	@$(BIN)/tierwatch verify --catalog catalog

drift: venv ## Fail when rendered/ differs from what catalog/ gives
	@$(BIN)/tierwatch generate --catalog catalog --out rendered --check

test: dev tools ## Set up what the tests need and run them all
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not long and not chaos"

test-long: dev tools ## Break the played platform on purpose, on the current servers, too; minutes
	@$(BIN)/python -m pytest -n0 -m long

chaos: dev tools ## Break the remediator, its engine and its disk again and again; three quarters of an hour
	@$(BIN)/python -m pytest -n0 -m chaos

test-quick: dev ## Run the tests that start no servers
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not live and not long"

lint: dev ## Check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: dev ## Check types strictly
	@$(BIN)/mypy

layers: dev ## Check that rooms import only what lies below them
	@$(BIN)/lint-imports

check: lint types layers drift ## All static checks

format: dev ## Format the code
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

golden: dev ## Rewrite the expected files of the tests, then run them again
	@TIERWATCH_GOLDEN=write $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile -m "not live" || true
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile -m "not live"

bench: dev tools-min ## Measure speed, memory and the time of the generated tests
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.exporters
	@$(BIN)/python -m bench.remediation
	@$(BIN)/python -m bench.remediation_healing

mutants: dev tools-min ## Break every alert on purpose and count how many breaks its test sees
	@$(BIN)/python -m tests.mutants

tools: ## Get the judges and servers that tests use (Debian packages, Go builds; cached)
	@tools/get --all

tools-min:
	@tools/get promtool amtool blackbox_exporter || echo "going on without: what they would prove is reported as not proven"

venv: $(VENV)/.installed
dev: $(VENV)/.dev

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Tierwatch needs Python 3.11 or newer; $(PYTHON) is older. Name one: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "$(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	@echo "installing what the tests need into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean: ## Remove the virtual environment and caches (not the tools' cache)
	@rm -rf $(VENV) .tools .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
