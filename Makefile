# Nightshift on one machine. `make` alone says what there is.
#
#   make night                          play the demo night, from an empty inbox to the morning mail
#   make night SURVEY=lowell42 RAW=dir  the same with real files
#
# A night that was interrupted goes on where it was when the same night is asked for again; FRESH=1 begins it anew.
#
# Variables: SURVEY, SEED, RAW, NIGHT (which of several in RAW), FAULTS, FRESH, RUNNER, BROKERS, PORT_AIRFLOW, PORT_LEDGER, PORT_SMTP, PYTHON, NAME (of a benchmark).

SURVEY ?= demo
SEED ?= 1
RAW ?=
NIGHT ?=
FAULTS ?=
FRESH ?=
RUNNER ?= local
BROKERS ?=
NAME ?=
PYTHON ?= python3

ifdef PORT_AIRFLOW
export NIGHTSHIFT_PORT_AIRFLOW = $(PORT_AIRFLOW)
endif
ifdef PORT_LEDGER
export NIGHTSHIFT_PORT_LEDGER = $(PORT_LEDGER)
endif
ifdef PORT_SMTP
export NIGHTSHIFT_PORT_SMTP = $(PORT_SMTP)
endif
export NIGHTSHIFT_RUNNER = $(RUNNER)
ifneq ($(BROKERS),)
export NIGHTSHIFT_BROKERS = $(BROKERS)
endif

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
NIGHTSHIFT := $(BIN)/nightshift
KAFKA := .kafka/.checked

.DEFAULT_GOAL := help
.PHONY: help install kafka night up down status test lint unit test-faults queries bench docs lock clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

install: $(STAMP) ## make the Python environment in .venv (done by itself where needed)

$(STAMP): requirements.lock requirements-uv.lock pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null || { \
	    echo "Nightshift needs Python 3.11 or 3.12; $(PYTHON) is: $$($(PYTHON) --version 2>&1)." >&2; \
	    echo "Name another with: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments (Debian: apt install python3-venv)." >&2; exit 2; }
	@echo "setting up the Python environment in $(VENV): once, for a minute or a few"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib nightshift reduction operators plugins
	@touch $@

kafka: $(KAFKA) ## fetch a Kafka for this machine into .kafka (with Maven), for BROKERS=kafka

$(KAFKA): deploy/kafka/pom.xml deploy/kafka/jars.sha256
	@command -v mvn >/dev/null || { echo "make kafka needs Maven (Debian: apt install maven)." >&2; exit 2; }
	@rm -rf .kafka.new
	@mvn -B -q -f deploy/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/.kafka.new
	@cd .kafka.new && sha256sum --quiet --strict -c ../deploy/kafka/jars.sha256 && touch .checked
	@rm -rf .kafka && mv .kafka.new .kafka

night: $(STAMP) $(if $(filter kafka,$(BROKERS)),$(KAFKA)) ## play a night, or go on with an interrupted one: SURVEY=demo SEED=1 [RAW=folder of real files [NIGHT=one of them]] [FAULTS=all]
	@$(NIGHTSHIFT) night-run --survey $(SURVEY) --seed $(SEED) $(if $(RAW),--raw "$(RAW)") $(if $(NIGHT),--night $(NIGHT)) $(if $(FAULTS),--faults $(FAULTS)) $(if $(FRESH),--fresh)

up: $(STAMP) $(if $(filter kafka,$(BROKERS)),$(KAFKA)) ## start everything and leave it running
	@$(NIGHTSHIFT) up --survey $(SURVEY)

down: $(STAMP) ## stop what `make up` started
	@$(NIGHTSHIFT) down --survey $(SURVEY)

status: $(STAMP) ## say what runs
	@$(NIGHTSHIFT) status --survey $(SURVEY)

test: lint unit ## check the style, then run every test but the fault matrix

lint: $(STAMP) ## ruff, mypy, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

unit: $(STAMP)
	@! command -v mvn >/dev/null || $(MAKE) --no-print-directory -s kafka || echo "tests go on without a Kafka" >&2
	@$(BIN)/python -m pytest -m "not faults"

test-faults: $(STAMP) ## the long fault matrix: every fault, 30 kills, an hour at most on two cores
	@$(BIN)/python -m pytest -m faults

queries: $(STAMP) ## write the typed functions of the named queries anew, from the SQL
	@NIGHTSHIFT_WRITE_QUERIES=1 $(BIN)/python -m pytest -q tests/integration/ledger/test_typed_queries.py

bench: $(STAMP) ## run the benchmarks, or NAME=one of them
	@$(BIN)/python -m benchmarks $(NAME)

docs: $(STAMP) ## build the pages as a site with search, in build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet -f deploy/mkdocs.yml
	@echo "build/site/index.html"

lock: $(STAMP) ## write requirements.lock anew: hashes, no host names
	@$(BIN)/uv pip compile pyproject.toml --extra test --extra docs --generate-hashes --no-annotate --no-header \
	    --no-emit-index-url --universal --python-version 3.11 --quiet -o requirements.lock
	@echo "$$(grep -c '==' requirements.lock) packages in requirements.lock"

clean: ## remove caches and the Python environment; nights in var/ stay
	@rm -rf $(VENV) .kafka .kafka.new build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
