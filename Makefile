# Everything goes through one virtual environment, made from requirements.lock on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CODE := $(wildcard kit services workflows simulators cli deploy retailers benchmarks tests protos/generate.py)
LOCK_OPTIONS := --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links --quiet

# Compiled modules are kept: a start or a test run costs seconds without them.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

.PHONY: help run demo test lint attack bench proto proto-baseline lock clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

run: $(READY) ## start everything on this machine; Ctrl-C stops it, data stays in .oms/
	@exec $(BIN)/oms up

demo: $(READY) ## place an order on the running system and follow it to the customer's door
	@$(BIN)/oms demo

test: $(READY) ## all tests but the attack ones, on real PostgreSQL and Temporal
	@$(BIN)/python -m pytest tests -n 3 -q $(ARGS)

attack: $(READY) ## thousands of lives and races with fixed seeds (up to 30 minutes)
	@$(BIN)/python -m pytest tests -m attack -n 3 -q $(ARGS)

bench: $(READY) ## figures beside their limits; ARGS="acceptance reserve" or ARGS="memory --orders 2000" runs some
	@$(BIN)/python -m benchmarks $(ARGS)

lint: $(READY) ## style, types, import contracts, protos
	@echo "ruff";         $(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check .
	@echo "mypy";         $(BIN)/mypy --strict --no-error-summary $(CODE)
	@echo "imports";      out=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$out"; exit 1; }
	@echo "buf lint";     $(BIN)/buf lint protos
	@echo "buf breaking"; $(BIN)/buf breaking protos --against protos/image.binpb
	@echo "proto drift";  fresh=$$(mktemp -d) && $(BIN)/python protos/generate.py $$fresh && \
		diff -r --brief --exclude=__pycache__ protos/gen $$fresh && rm -r $$fresh

proto: $(READY) ## generate protos/gen from the .proto files
	@$(BIN)/python protos/generate.py

proto-baseline: $(READY) ## accept today's protos as what may not be broken
	@$(BIN)/buf build protos -o protos/image.binpb

lock: $(READY) ## resolve requirements.in again
	@$(BIN)/uv pip compile requirements.in -o requirements.lock $(LOCK_OPTIONS) $(ARGS)
	@echo uv | $(BIN)/uv pip compile - -o requirements-bootstrap.lock -c requirements.lock $(LOCK_OPTIONS)

clean: ## remove the environment, all data of this machine's system and caches
	rm -rf $(VENV) .oms .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Both are remade only when a lock (or the project's own metadata) changed.
$(READY): $(VENV)/.uv requirements.lock pyproject.toml
	@echo "environment: installing $$(grep -c '==' requirements.lock) locked packages"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.uv: requirements-bootstrap.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"Python 3.11 or later is needed, this is %d.%d; set PYTHON=..." % sys.version_info[:2])'
	@echo "environment: creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@
