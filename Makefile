# Commands for development. PYTHON is any Python 3.11 to 3.14, AIRFLOW a version with a file in constraints/.
PYTHON ?= python3.11
AIRFLOW ?= 3.3.2
# More workers than cores, since tests that wait for a deadline use no CPU.
WORKERS ?= 5
VENV := .venv/airflow-$(AIRFLOW)
BIN := $(VENV)/bin
CONSTRAINTS := constraints/airflow-$(AIRFLOW).txt
export UV_SYSTEM_CERTS ?= 1
# Tests start dozens of processes, which would each compile their imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo playground test coverage test-thorough lint clean

help: ## Show these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "All except clean take AIRFLOW=2.11.2 or AIRFLOW=3.3.2 (default) and PYTHON=python3.11."

setup: $(VENV)/.ready ## Install the package and its test dependencies into .venv/

$(VENV)/.ready: pyproject.toml $(CONSTRAINTS)
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) was not found; name a Python 3.11 to 3.14 with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint $(CONSTRAINTS) \
		--editable '.[sandbox,receiver,files,sql]' 'apache-airflow==$(AIRFLOW)' --group test --group lint
	touch $@

demo: setup ## Run the example DAGs in a real Airflow against the sandbox; print and picture the messages
	$(BIN)/python -m scripts.demo

playground: setup ## Start Airflow with the example DAGs, and the sandbox, until Ctrl-C
	@exec $(BIN)/python -m scripts.playground

test: setup ## Run the test suite, except the tests that lint runs
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --ignore tests/types $(ARGS)

coverage: setup ## Run the test suite, and measure its branch coverage, which takes much longer
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --ignore tests/types --cov --cov-report=term:skip-covered --cov-fail-under=95 $(ARGS)

test-thorough: setup ## Run all but the system tests, with many more random examples, different each time
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --hypothesis-profile=thorough -m "not system" --ignore tests/types $(ARGS)

lint: setup ## Check style, types (also in the guides) and the imports between folders
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/types
	$(BIN)/lint-imports --no-cache

clean: ## Remove the files that setup, tests and the demo create
	rm -rf .venv build dist demo .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis
