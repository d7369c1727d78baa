# Everything a contributor or a newcomer runs. `make` lists the targets; each sets up .venv first when it must.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Plain python3 when it is new enough, else the newest versioned one that really runs (a version manager's shim may not).
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then command -v $$python; break; fi; done)

# Seconds after which `make demo` ends by itself; without it, Ctrl-C ends it.
DURATION ?=

.PHONY: help
help:  ## List the targets
	@echo "make TARGET, where TARGET is one of:"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "error: no Python 3.11 or later found" >&2; \
		echo "  next: install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 2; fi
	@if ! [ -x $(BIN)/python ]; then echo "setting up $(VENV) with $$("$(PYTHON)" --version)"; "$(PYTHON)" -m venv $(VENV); fi
	@echo "installing the package and its tools into $(VENV) (the first time takes a few minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[dev]'
	@$(BIN)/python -m compileall -q -j 0 -x '/(tests|pip|mypy|mypyc)/' $(VENV)/lib >/dev/null 2>&1 || true  # as pip would, on all cores
	@touch $@

.PHONY: venv
venv: $(STAMP)  ## Set up .venv with the package and its development tools

.PHONY: demo
demo: $(STAMP)  ## Simulated communities through the whole pipeline (DURATION=45 ends by itself)
	@$(BIN)/streams demo $(if $(DURATION),--duration $(DURATION))

.PHONY: up
up: $(STAMP)  ## Broker, warehouse and worker on this machine, until Ctrl-C
	@$(BIN)/streams up

# Test processes side by side, each with a broker and a warehouse of its own (some 2 GiB): one more than cores, because one
# of them mostly waits for workers to be killed. tests/schedule.py says which runs what.
JOBS ?= 3

PYTEST = $(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

.PHONY: test
test: $(STAMP)  ## The tests, with the embedded broker and the embedded warehouse (JOBS=3 side by side)
	@$(PYTEST) -m "not thorough"

.PHONY: thorough
thorough: $(STAMP)  ## The tests that take longest and seldom tell first: teeth, pairs of crashes, more outages
	@$(PYTEST) -m thorough

.PHONY: test-kafka
test-kafka: $(STAMP)  ## The tests that speak to a broker, on a real Apache Kafka (needs Java and Maven)
	@$(BIN)/python -m tests.apache_kafka run -- $(BIN)/pytest -m connected tests/connected

# What `make replay` publishes, and the folder that holds the data; the data is not part of this project.
TRACES ?= irc_duraspace checkins_gowalla_nyc stackexchange_bicycles_meta orders_cdnow
DATA ?= ../shared/data

.PHONY: replay
replay: $(STAMP)  ## Real data through the whole pipeline, compared with a plain fold (TRACES=..., DATA=...)
	@dir="$$(mktemp -d)"; trap 'rm -rf "$$dir"' EXIT; \
		$(BIN)/streams up --data-dir "$$dir" -- $(BIN)/streams replay $(TRACES) --data $(DATA) --verify

# What `make bench` measures; `.venv/bin/python -m benchmarks --help` lists the rest.
BENCH ?= compare

.PHONY: bench
bench: $(STAMP)  ## Speed of the whole path, as ratios in one run (BENCH=all for everything)
	@$(BIN)/python -m benchmarks $(BENCH)

.PHONY: chaos
chaos: $(STAMP)  ## 1,000 kill -9 over a million events (CHAOS="--kills 40 --events 40000" for less)
	@$(BIN)/python -m tests.chaos $(CHAOS)

.PHONY: cookbook
cookbook: $(STAMP)  ## Write docs/metrics.md and docs/cookbook.md anew
	@$(BIN)/streams metrics export
	@STREAMS_TEST_WRITE_COOKBOOK=1 $(BIN)/pytest tests/connected/test_cookbook.py

.PHONY: lint
lint: $(STAMP)  ## ruff, mypy and the contract files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/streams contract check

.PHONY: check
check: lint test thorough  ## What CI runs: lint, then every test

.PHONY: format
format: $(STAMP)  ## Format the code and repair what ruff can repair
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: hooks
hooks: $(STAMP)  ## Run ruff and mypy before every commit
	@$(BIN)/pre-commit install

.PHONY: clean
clean:  ## Remove .venv, caches and the data of `make up`
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .streams build dist *.egg-info
