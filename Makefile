# Every target makes its own environment: `make quickstart` and `make test` work on a fresh machine.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PURE := ntl_hf/config.py ntl_hf/number_vocab.py ntl_hf/vocab_report.py ntl_hf/losses ntl_hf/loss_module.py ntl_hf/objective.py \
	ntl_hf/head/from_logits.py ntl_hf/head/output.py ntl_hf/head/transform.py ntl_hf/callback.py ntl_hf/data ntl_hf/quickstart

.PHONY: help quickstart test lint format clean

help:
	@echo "make quickstart   train CE against CE + NTL on embedded data, about three minutes on two cores"
	@echo "make test         the test suite"
	@echo "make lint         ruff (lint and format) and mypy on the pure modules"

# torch is named with its pin in the same command as what needs it, so that pip never looks for another build.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch -e '.[dev]'
	@touch $@

quickstart: $(STAMP)
	$(BIN)/ntl-hf quickstart

test: $(STAMP)
	$(BIN)/python -m pytest -n 2

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PURE)

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis
