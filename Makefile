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
	$(PYTEST) -n $(JOBS) -m "not e2e" --ignore tests/cloud --ignore tests/hosts tests
	$(PYTEST) -m e2e --ignore tests/cloud --ignore tests/hosts tests

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

.PHONY: wheels
wheels: setup ## all a host without internet needs, into dist/wheels; WHEELS="--python 3.12" for other hosts
	@$(BIN)/python scripts/wheels $(WHEELS)

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
.PHONY: cloud-up cloud-down test-cloud test-cloud-real

cloud-up: ## start the test cloud, or what is missing of it; REAL=1 with real guests, FAKE=n fake hosts
	@tests/cloud/cloud up

cloud-down: ## end the test cloud; nothing is left behind
	@tests/cloud/cloud down

test-cloud: setup cloud-up ## tests against the test cloud, in its network
	@$(PYTEST) -q -m "not cloud" tests/cloud
	@tests/cloud/enter $(PYTEST) -m "cloud and not real" tests/cloud

# Guests are emulated: some minutes and 3 GB of memory more than the rest, and nothing else should run beside it.
test-cloud-real: setup ## site.yml on servers that really boot, in the test cloud with REAL=1
	@$(BIN)/python scripts/wheels --python 3.13
	@REAL=1 tests/cloud/cloud up
	@tests/cloud/enter $(PYTEST) -s -m "cloud and real" tests/cloud

# --- Debian hosts with systemd on this machine, as podman containers (docs/testing-hosts.md); root only
.PHONY: hosts-up hosts-down test-hosts test-molecule-hosts

hosts-up: ## start a lab of hosts, or what is missing of it; HOSTS=n hosts
	@tests/hosts/lab up --count $(or $(HOSTS),3)

hosts-down: ## end the lab of hosts; nothing is left behind
	@tests/hosts/lab down

test-hosts: setup ## tests on real hosts; each file makes and removes a lab of its own
	$(PYTEST) -m hosts tests/hosts

MOLECULE ?= hosts etcd-cluster upgrade rotate restore hostile
test-molecule-hosts: wheels ## colonies on such hosts from nothing to nothing, with Molecule; MOLECULE="hosts upgrade" for some scenarios
	@$(BIN)/python scripts/wheels --python 3.13 --as-version 0.1.1 --directory dist/wheels-next
	@for scenario in $(MOLECULE); do \
	    AWARE_WHEELS="$(abspath dist/wheels)" AWARE_WHEELS_NEXT="$(abspath dist/wheels-next)" \
	        tests/hosts/molecule test --scenario-name "$$scenario" || exit 1; \
	done
