# What a person runs. PYTHON is any Python 3.11 to 3.14, AIRFLOW a version that has a file in constraints/.
PYTHON ?= python3.11
AIRFLOW ?= 3.3.2
# Tests that wait for a deadline leave their core to others, so there are more of them than cores.
WORKERS ?= 5
VENV := .venv/airflow-$(AIRFLOW)
BIN := $(VENV)/bin
CONSTRAINTS := constraints/airflow-$(AIRFLOW).txt
export UV_SYSTEM_CERTS ?= 1
# Tests start dozens of processes, each of which would compile what it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo playground test coverage test-thorough lint clean

help: ## Show what can be run
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "Every one but clean takes AIRFLOW=2.11.2 or AIRFLOW=3.3.2 (default) and PYTHON=python3.11."

setup: $(VENV)/.ready ## Install the package and what its tests need into .venv/

$(VENV)/.ready: pyproject.toml $(CONSTRAINTS)
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is not there; name a Python 3.11 to 3.14 with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint $(CONSTRAINTS) \
		--editable '.[sandbox,receiver,files,sql]' 'apache-airflow==$(AIRFLOW)' --group test --group lint
	touch $@

demo: setup ## Run the example DAGs through real Airflow against the sandbox; show and picture what arrived
	$(BIN)/python -m scripts.demo

playground: setup ## Start Airflow with the example DAGs, and the sandbox, until Ctrl-C
	@exec $(BIN)/python -m scripts.playground

test: setup ## Run the test suite, but for what lint runs
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --ignore tests/types $(ARGS)

coverage: setup ## Run the test suite, and measure its branch coverage, which takes much longer
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --ignore tests/types --cov --cov-report=term:skip-covered --cov-fail-under=95 $(ARGS)

test-thorough: setup ## Run what is tested with random examples, with many of them, others each time
	$(BIN)/python -m pytest -n $(WORKERS) --hypothesis-profile=thorough -m "not system" --ignore tests/types $(ARGS)

lint: setup ## Check style, types, also of the guides, and the arrows between folders
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/types
	$(BIN)/lint-imports --no-cache

clean: ## Remove what setup, tests and the demo made
	rm -rf .venv build dist demo .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis
