# make demo and make test set up everything they need by themselves, in .venv, without root.
# PYTHON=/path/to/python3 chooses the Python (3.11 or newer).

VENV ?= .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
JOBS ?= auto
export VENV

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-down test check format test-collection test-molecule test-heat bench clean distclean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## make the virtual environment and install everything into it
	@./scripts/setup

demo: setup ## start a colony of five nodes on this machine and show it
	@$(BIN)/aware demo up

demo-down: setup ## stop the demo; nothing is left behind
	@$(BIN)/aware demo down

test: setup ## all tests: unit, store, whole colonies
	$(PYTEST) -n $(JOBS) -m "not e2e" --ignore tests/cloud tests
	$(PYTEST) -m e2e --ignore tests/cloud tests

check: setup ## what every commit must pass, in less than a minute
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -q -n $(JOBS) tests/unit

format: setup ## let ruff rewrite what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test-collection: setup ## ansible-test, ansible-lint, antsibull and the built tarball
	@$(BIN)/python scripts/collection-checks

test-molecule: setup ## the roles from nothing to nothing, with Molecule on the local provider
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/molecule test

test-heat: setup ## the Heat templates judged by Heat's own classes, the bootstrap script, the playbook runner
	@./scripts/heat-venv
	@.venv-heat/bin/python scripts/heat-check deploy/heat/cluster.yaml deploy/heat/software-config.yaml
	$(PYTEST) tests/heat

bench: setup ## figures beside those of peers; BENCH="failover api" chooses, BENCHFLAGS="--json"
	@for name in $(or $(BENCH),failover api inventory footprint formation); do \
		$(BIN)/python -m bench $$name $(or $(BENCHFLAGS),--quick) || exit 1; \
	done

clean: ## remove what tests and tools leave
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist .coverage htmlcov
	find aware_agent tests bench collections -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove the virtual environment as well
	@if [ -d .aware ]; then echo "error: a demo is here; make demo-down first" >&2; exit 1; fi
	rm -rf $(VENV) $(VENV).lock .venv-checks .venv-heat

# --- a real OpenStack on this machine, from Debian's packages (docs/testing-cloud.md); root only
.PHONY: cloud-up cloud-down test-cloud

cloud-up: ## start the test cloud, or what is missing of it; REAL=1 with real guests, FAKE=n fake hosts
	@tests/cloud/cloud up

cloud-down: ## end the test cloud; nothing is left behind
	@tests/cloud/cloud down

test-cloud: setup cloud-up ## tests against the test cloud, in its network
	@tests/cloud/enter $(PYTEST) -m cloud tests/cloud
