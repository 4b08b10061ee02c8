# Every target makes its own environment: `make quickstart` and `make test` work on a fresh machine.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
QUICKSTART := $(VENV)/.quickstart
DEEPSPEED := $(VENV)/.deepspeed

.PHONY: help quickstart test test-slow test-distributed test-lowest lint format docs benchmarks release-check clean

help:
	@echo "make quickstart   train CE against CE + NTL on embedded data, about three minutes on two cores"
	@echo "make test         the tests of every feature, but for what is slow by nature"
	@echo "make test-slow    what is slow by nature: the wheel, the site, the demo in a browser, the notebook, the examples,"
	@echo "                  the pages' commands, whole comparisons, all commands without a network"
	@echo "make test-distributed   all modes of several processes, and twenty kills in a row"
	@echo "make test-lowest   the core of the tests on the lowest versions that pyproject.toml allows, in .venv.lowest"
	@echo "make docs         build the documentation as a site, in site/"
	@echo "make benchmarks   time and memory against the peers, about 25 minutes; see benchmarks/README.md"
	@echo "make release-check   build sdist and wheel, and try them and every extra in empty environments"
	@echo "make lint         ruff (lint and format), mypy, and the order of imports"

# torch is named with its pin in the same command as what needs it, so that pip never looks for another build.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[dev]'
	@touch $@ $(QUICKSTART)

# A small part of what the other targets need, which may be added to it later. Modules are compiled when they are first
# imported: most of them never are.
$(QUICKSTART): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --no-compile -e '.[plots]'
	@touch $@

# Its setup needs torch, and builds nothing: what it needs is compiled when it first starts, and kept.
$(DEEPSPEED): $(STAMP)
	DS_BUILD_OPS=0 DS_ACCELERATOR=cpu $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		-c constraints.txt --no-build-isolation deepspeed \
		|| echo "DeepSpeed could not be installed: its tests will be skipped."
	@touch $@

quickstart: $(QUICKSTART)
	$(BIN)/ntl-hf quickstart

# A file is one worker's, so that what its tests share is made once.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile

test: $(STAMP) $(DEEPSPEED)
	$(PYTEST) -m "not slow and not distributed"

test-slow: $(STAMP) $(DEEPSPEED)
	$(PYTEST) -m "slow and not distributed"

# One after another: they start two processes each.
test-distributed: $(STAMP) $(DEEPSPEED)
	$(BIN)/python -m pytest tests/invariants tests/interrupts tests/cli/test_launch.py

LOWEST ?= .venv.lowest

# The environment is not kept up to date: remove it after a change of constraints-lowest.txt.
$(LOWEST): constraints-lowest.txt
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-lowest.txt torch numpy \
		-e '.[evaluation,plots]' hypothesis ntloss pytest pytest-timeout sentencepiece

test-lowest: $(LOWEST)
	$(LOWEST)/bin/python -m pytest tests/trainers tests/head tests/losses tests/decoding tests/evaluation tests/plots \
		tests/tokens/test_number_vocab.py tests/trainers/test_lora.py tests/cli/test_sft.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy ntl_hf benchmarks
	$(BIN)/lint-imports

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# DATA: a folder with GSM8K's train.jsonl; without it, that case is skipped.
benchmarks: $(STAMP)
	$(BIN)/python -m benchmarks.loss --preset targets
	$(BIN)/python -m benchmarks.step --preset targets $(if $(DATA),--data $(DATA))
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.report

DIST ?= dist

# sdist and wheel into $(DIST), then into environments made from nothing: the wheel alone, and each extra alone.
release-check: $(STAMP)
	$(BIN)/python -m tests.release.clean_install --dist $(DIST)

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
