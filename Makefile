# One command a task; `make help` lists them. Everything lives in .venv and node_modules; nothing is installed elsewhere.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
# Images for containers like to set it: every process that is started, a test's included, would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
PYTHON_STAMP := .venv/.installed
EXAMPLES := examples/crm examples/quality-inspection
NODE_FOLDERS := tests/conformance/node console
NODE_STAMPS := $(NODE_FOLDERS:%=%/node_modules/.installed)
WORKERS ?= 2
# Each worker takes whole files, in their order: what takes longest comes first.
SPREAD := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
PAGES := crdt_sync/server/static/index.html
PROFILE ?= ci

# The tests of what ticket data passes through and every state is decided in: they alone must reach its branches.
# Nothing else is measured, which would take three times as long.
PROVING := tests/domain tests/documents tests/wire tests/protocol
PROVEN_PERCENT_MIN := 90

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(PYTHON_STAMP) $(PAGES) ## Make .venv, install what is locked, build the pages; needs Python 3.11, does nothing twice

$(PYTHON_STAMP): requirements.lock pyproject.toml $(EXAMPLES:%=%/pyproject.toml)
	@./setup.sh .venv $(EXAMPLES)
	@touch $@

$(PAGES): console/node_modules/.installed console/index.html console/vite.config.ts $(shell find console/src -type f)
	@$(BIN)/python tests/conformance/node_tools.py build

.PHONY: run
run: setup ## Start the service on its embedded defaults and walk through stories of its lifecycle
	@$(BIN)/crdt-sync demo

.PHONY: demo
demo: setup ## Walk through it once and stop; fails if any expectation does
	@$(BIN)/crdt-sync demo --once

.PHONY: fmt
fmt: setup node-modules ## Format and repair what ruff and Biome can repair
	@$(BIN)/ruff check --fix --quiet
	@$(BIN)/ruff format --quiet
	@$(BIN)/python tests/conformance/node_tools.py fmt

.PHONY: lint
lint: setup ## Check style and format
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

.PHONY: types
types: setup ## Check types
	@$(BIN)/mypy

.PHONY: imports
imports: setup ## Check the direction of the imports
	@$(BIN)/lint-imports --no-logo --no-cache

.PHONY: test
test: setup node-modules ## Run every test, and hold the branch coverage of what decides by its own tests
	@$(BIN)/coverage erase
	@$(BIN)/pytest $(SPREAD) --cov --cov-report= $(PROVING)
	@$(BIN)/coverage report --fail-under=$(PROVEN_PERCENT_MIN) --skip-covered
	@$(BIN)/pytest $(SPREAD) $(PROVING:%=--ignore=%)

.PHONY: cover
cover: setup ## Show what the last `make test` left uncovered
	@$(BIN)/coverage report --show-missing --skip-covered

.PHONY: property
property: setup ## Run the laws of the lifecycle alone; PROFILE=nightly draws 10,000 cases for most
	@HYPOTHESIS_PROFILE=$(PROFILE) $(BIN)/pytest -n $(WORKERS) property_tests

.PHONY: exhaustive
exhaustive: setup ## Fold every small history in all orders of arrival; five minutes on two cores
	@$(BIN)/python -m property_tests.exhaustive $(WORKERS)

.PHONY: bench
bench: setup ## Measure: accepted moves that are later rejected, by design; a new transition; compaction; the consoles
	@$(BIN)/python -m benchmarks.retroaction
	@echo
	@$(BIN)/python -m benchmarks.fold
	@echo
	@$(BIN)/python -m benchmarks.compaction
	@echo
	@$(BIN)/python -m benchmarks.consoles

.PHONY: bench-gateway
bench-gateway: setup ## Measure how long a chat platform waits for its 2xx, and what a message costs
	@$(BIN)/python -m benchmarks.gateway

.PHONY: bench-plugins
bench-plugins: setup ## Measure what a faulty plugin costs messages; seven minutes
	@$(BIN)/python -m benchmarks.plugins

.PHONY: compare
compare: setup ## Measure the service beside Hocuspocus and y-websocket-server; WORKLOADS="fleet cards" chooses
	@$(BIN)/python -m benchmarks.compare $(WORKLOADS)

SEEDS ?= 200

.PHONY: simulate
simulate: setup ## Run whole worlds on virtual time, SEEDS of them; a failing one is told as a short story
	@$(BIN)/python -m property_tests.simulation --seeds $(SEEDS)

.PHONY: mutation
mutation: setup ## Change what decides, line by line, and see that tests notice; takes an hour
	@$(BIN)/python -m tests.mutation.mutants $(TARGETS)

.PHONY: planted
planted: setup ## Plant the bugs that matter most, one by one, and see which test notices
	@$(BIN)/python -m tests.mutation.planted

KILLS ?= 30
TURNS ?= 1

.PHONY: soak
soak: setup ## Kill service and gateway at chosen points, fill a disk, fail its syncs, have the example CRM down for ten minutes; KILLS=300 TURNS=10 for a night; needs strace
	@$(BIN)/python -m tests.integration.soak --kills $(KILLS) --turns $(TURNS)

MESSAGES ?= 180000

.PHONY: outage
outage: setup ## Send MESSAGES callbacks while the service is down, an hour of 50 a second, and see all of them come in order
	@$(BIN)/python -m tests.integration.outage --messages $(MESSAGES)

SECONDS ?= 60

.PHONY: fuzz
fuzz: setup ## Fuzz every decoder for SECONDS and keep the inputs that reach new code
	@$(BIN)/python -m tests.codecs.fuzz --seconds $(SECONDS)

.PHONY: conformance
conformance: setup node-modules ## Run unmodified clients in Node against the service, and print the matrix
	@$(BIN)/pytest $(SPREAD) tests/conformance

.PHONY: console
console: setup node-modules ## Check the TypeScript of console, and that it agrees with Python
	@$(BIN)/pytest tests/console

.PHONY: screens
screens: setup ## Take the pictures of docs/screens anew; needs Chromium and a Chinese font
	@$(BIN)/python -m tests.e2e.screens

.PHONY: node-modules
node-modules: setup $(NODE_STAMPS) ## Install the Yjs clients that the conformance tests drive, and the console's tools

$(NODE_STAMPS): %/node_modules/.installed: %/package-lock.json %/package.json | $(PYTHON_STAMP)
	@$(BIN)/python tests/conformance/node_tools.py ci $*
	@touch $@

.PHONY: vectors
vectors: setup ## Write the vectors of the lifecycle, which both implementations are held to, into proto/vectors
	@$(BIN)/python -m tests.console.vectors

.PHONY: proto
proto: setup ## Generate the gRPC stubs of proto/ into crdt_sync/rpc
	@$(BIN)/python proto/generate.py crdt_sync/rpc
	@$(BIN)/python -m grpc_tools.protoc -Iexamples/crm --python_out=examples/crm --pyi_out=examples/crm \
		--grpc_python_out=examples/crm example_crm/crm.proto

.PHONY: lock
lock: setup ## Choose the newest allowed versions and write both lock files
	@CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe \
		--no-emit-index-url --no-emit-options --strip-extras --all-extras --output-file requirements.lock pyproject.toml
	@$(BIN)/python tests/conformance/node_tools.py lock

.PHONY: ci
ci: lint types imports test ## Everything that a change must pass
