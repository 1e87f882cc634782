# Needs python3 ≥ 3.11 with venv, and the package registries; PIP_* and UV_* settings of the caller are honoured.
PYTHON ?= python3
BIN := .venv/bin
UV := .venv/uv/bin/uv
LOCKED := uv.lock pyproject.toml packages/sealring/pyproject.toml packages/sealring-verify/pyproject.toml
# --python pins the environment made below: a UV_PYTHON of the caller would make uv replace it, and itself with it.
SYNC := $(UV) sync --quiet --frozen --inexact --python $(BIN)/python
BENCHES = $(shell grep -ls '^if __name__ == "__main__":' bench/*.py)

export UV_PROJECT_ENVIRONMENT := .venv
unexport VIRTUAL_ENV
.DELETE_ON_ERROR:
.PHONY: help serve test check format bench faults clean

help:
	@echo "make serve    install what is locked, then run the demo on http://localhost:8700"
	@echo "make test     run every test; ARGS='-k replay' passes arguments to pytest"
	@echo "make check    formatting, lint, types, import contracts, dead code"
	@echo
	@echo "make format   let ruff format the tree and mend what it can"
	@echo "make bench    measure, as ratios to floors of the same run; JSON=FILE collects the rows"
	@echo "make faults   run the long fault tests"
	@echo "make clean    remove .venv and caches; data stays"

serve: .venv/.serve
	@./sealring demo

test: .venv/.dev
ifdef ARGS
	@$(BIN)/pytest $(ARGS)
else
	@$(BIN)/python tests/side_by_side.py
endif

faults: .venv/.dev
	@$(BIN)/pytest -m long --timeout 1800 $(ARGS)

check: .venv/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/vulture
	! $(BIN)/vulture --min-confidence 60 packages tests $(wildcard bench examples) | grep -E '/src/.*unused (function|method|class|property)'

format: .venv/.dev
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format --quiet

bench: .venv/.dev
	@rm -rf .venv/bench && mkdir .venv/bench
	@set -e; for script in $(BENCHES); do \
	  $(BIN)/python $$script $(if $(JSON),--json .venv/$$script.json); \
	done
ifdef JSON
	@$(BIN)/python -c 'import json, sys; print(json.dumps([row for name in sys.argv[1:] for row in json.load(open(name))], indent=1))' \
	  $(BENCHES:%=.venv/%.json) > "$(JSON)"
endif

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

.venv/.serve: $(LOCKED) $(UV)
	@echo "Installing the packages that uv.lock names into .venv"
	@$(SYNC) --no-dev
	@touch $@

.venv/.dev: $(LOCKED) $(UV)
	@echo "Installing the packages that uv.lock names into .venv, development tools included"
	@$(SYNC)
	@touch $@ .venv/.serve

$(UV): uv.requirements.txt | $(BIN)/python
	@echo "Installing uv, hashes checked, into .venv/uv"
	@$(BIN)/python -m pip install --quiet --upgrade --require-hashes --target .venv/uv -r uv.requirements.txt
	@touch $@

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "Sealring needs Python 3.11 or newer and finds no $(PYTHON): install it (Debian, Ubuntu: apt install python3-venv)." >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Sealring needs Python 3.11 or newer and $(PYTHON) is %d.%d: install a newer one and name it, as in `make serve PYTHON=python3.13`." % sys.version_info[:2])'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "Sealring needs the venv module, which this $(PYTHON) lacks: apt install python3-venv (or your system's package of that kind)." >&2; exit 2; }
	@echo "Making the environment .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear .venv
