# make demo and make test set up everything they need by themselves, in .venv, without root.
# PYTHON=/path/to/python3 chooses the Python (3.11 or newer).

VENV ?= .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
JOBS ?= auto
export VENV
# Python reads no path with an umlaut, and Ansible does not run, where text is not UTF-8. C.UTF-8 is everywhere.
ifneq ($(shell locale charmap 2>/dev/null),UTF-8)
export LC_ALL := C.UTF-8
endif

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-down test test-deep test-schema test-founding test-council check lint format lock audit sbom test-collection test-molecule test-heat man site simulate simulate-mutations chaos bench clean distclean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## make the virtual environment and install everything into it
	@./scripts/setup

demo: setup ## start a colony of five nodes on this machine and show it
	@$(BIN)/aware demo up

demo-down: setup ## stop the demo; nothing is left behind
	@$(BIN)/aware demo down

# Tests of parts of the agent in their own process: what they reach is worth counting.
DIRECT := tests/unit tests/gateway tests/hostile tests/store

test: setup ## the tests that need no root: unit, store, whole colonies; COVERAGE=1 counts what they reach
	@failed=; trap 'exit 130' INT; part() { echo "$$*"; "$$@" || failed="$$failed\n  $$*"; }; \
	part $(PYTEST) $(if $(COVERAGE),--cov --cov-report=) -n $(JOBS) --dist worksteal -m "not e2e" $(DIRECT); \
	$(if $(COVERAGE),echo "coverage: $$($(BIN)/coverage report --format=total) % of aware_agent by the direct tests alone";) \
	part $(PYTEST) -n $(JOBS) --dist worksteal -m "not e2e" --ignore tests/cloud --ignore tests/hosts $(DIRECT:%=--ignore %) tests; \
	part $(PYTEST) -n $(JOBS) --maxprocesses 4 --dist worksteal -m "e2e and not deep" --ignore tests/cloud --ignore tests/hosts tests; \
	[ -z "$$failed" ] || { printf 'error: not all tests passed:%b\n' "$$failed" >&2; exit 1; }

test-deep: setup ## whole colonies under rare faults, which make test leaves out: most of half an hour
	$(PYTEST) -n $(JOBS) --maxprocesses 4 --dist worksteal -m "e2e and deep" tests/e2e tests/hostile

check: lint ## what every commit must pass, in less than a minute
	$(PYTEST) -q -n $(JOBS) tests/unit

lint: setup ## format, style, types and import floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## let ruff rewrite what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## choose newer versions of all packages and lock them with their hashes
	@scripts/lock

audit: setup ## look up known vulnerabilities of every locked package
	@$(BIN)/python scripts/supply-chain audit

sbom: setup ## write what the agent is made of: CycloneDX, dist/aware-agent.cdx.json
	@$(BIN)/python scripts/supply-chain sbom

test-collection: setup ## ansible-test, ansible-lint, antsibull and the built tarball
	@$(BIN)/python scripts/collection-checks

SEEDS ?= 1000
simulate: setup ## SEEDS=1000 colonies of five in virtual time, a fifth as many of three and of seven; a core for some 20 minutes
	@$(BIN)/python -m aware_agent.simulator --nodes 5 --seeds $(SEEDS) --minutes 1.5 --every 2
	@for nodes in 3 7; do $(BIN)/python -m aware_agent.simulator --nodes $$nodes --seeds $$(($(SEEDS) / 5)) --minutes 1.5 --every 2 || exit 1; done

simulate-mutations: setup ## deliberate defects in the drivers, each of which the simulator has to find
	@$(BIN)/python tests/unit/simulator_defects.py

FAULTS ?= 100
chaos: setup ## FAULTS=100 faults in a row under clients whose history has to be linearizable; REPORT=file.json; needs root
	$(BIN)/python -m bench chaos --faults $(FAULTS) --seed $(or $(SEED),1) $(if $(REPORT),--report $(REPORT))

man: setup ## write the man pages anew, of the commands as they are
	@$(BIN)/python -m manual man

site: setup ## build the site of docs/ with the reference of commands, gateway and collection: dist/site
	@./scripts/site-venv
	@$(BIN)/python -m manual site dist/site-source
	@.venv-site/bin/sphinx-build -q -W --keep-going -b html dist/site-source dist/site
	@echo "site: dist/site/index.html"

test-schema: setup ## every operation of the OpenAPI document, EXAMPLES=100 times: with what it allows and what not
	AWARE_SCHEMA_EXAMPLES=$(or $(EXAMPLES),100) $(PYTEST) tests/hostile/test_hostile_schema.py

test-founding: setup ## 20 foundings of 3, 5 and 7 founders as real processes, killed in between
	AWARE_FOUNDING_ROUNDS=20 $(PYTEST) tests/e2e/test_founding.py -k any_order

test-council: setup ## a council of five real members loses every minority in turn, 15 ways, and is full again each time
	AWARE_COUNCIL_LOSSES=15 $(PYTEST) tests/e2e/test_council_losses.py

test-molecule: setup ## the roles from nothing to nothing, with Molecule on the local provider
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/molecule test

test-heat: heat-templates ## the Heat templates judged by Heat's own classes, the bootstrap script, the playbook runner
	$(PYTEST) tests/heat

.PHONY: heat-templates
heat-templates: setup
	@./scripts/heat-venv
	@.venv-heat/bin/python scripts/heat-check deploy/heat/*.yaml

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
	rm -rf $(VENV) $(VENV).lock .venv-checks .venv-heat .venv-site

# --- the dashboard (docs/dashboard.md); needs Node 20.19 or newer
.PHONY: dashboard dashboard-check test-dashboard

dashboard/node_modules/.package-lock.json: dashboard/package-lock.json
	@cd dashboard && npm ci --silent

dashboard: setup dashboard/node_modules/.package-lock.json ## build the dashboard into the package, with types from the gateway's API
	@$(BIN)/python scripts/openapi-document > dashboard/node_modules/.openapi.json
	@cd dashboard && node scripts/types.mjs src/api/schema.d.ts < node_modules/.openapi.json && npx vite build

# What is committed has to be what a build gives, and the types what the gateway says.
dashboard-check: setup dashboard/node_modules/.package-lock.json ## format, style, types and component tests of the dashboard; is its build current?
	@$(BIN)/python scripts/openapi-document > dashboard/node_modules/.openapi.json
	cd dashboard && npx prettier --check --log-level warn .
	cd dashboard && npx eslint --max-warnings 0 .
	cd dashboard && npx tsc
	cd dashboard && npx vitest run --reporter dot
	cd dashboard && node scripts/types.mjs src/api/schema.d.ts --check < node_modules/.openapi.json
	cd dashboard && DASHBOARD_OUT=node_modules/.built npx vite build --logLevel warn
	@diff -r dashboard/node_modules/.built aware_agent/gateway/dashboard || \
	    { echo "error: aware_agent/gateway/dashboard is not what a build gives: run make dashboard" >&2; exit 1; }
	@! grep -n '"resolved"' dashboard/package-lock.json || \
	    { echo "error: dashboard/package-lock.json names a registry: run npm install in dashboard/, which has .npmrc" >&2; exit 1; }

test-dashboard: setup dashboard/node_modules/.package-lock.json ## the dashboard in Chromium over a real colony; SCREENSHOTS=1 writes those of docs
	@cd dashboard && $(if $(SCREENSHOTS),AWARE_SCREENSHOTS=1) PYTHON="$(abspath $(BIN))/python" npx playwright test

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

MOLECULE ?= hosts upgrade rotate restore hostile
test-molecule-hosts: wheels ## colonies on such hosts from nothing to nothing, with Molecule; MOLECULE="hosts upgrade" for some scenarios
	@$(BIN)/python scripts/wheels --python 3.13 --as-version 0.1.1 --directory dist/wheels-next
	@for scenario in $(MOLECULE); do \
	    AWARE_WHEELS="$(abspath dist/wheels)" AWARE_WHEELS_NEXT="$(abspath dist/wheels-next)" \
	        tests/hosts/molecule test --scenario-name "$$scenario" || exit 1; \
	done
