# Amparo: `make up` starts everything on this machine, with Python 3.11+ and nothing else.
PYTHON ?= python3
PY := .venv/bin/python
export YES

.PHONY: setup up demo drill-leak down reset status logs test test-slow test-unit check bench docs proto locks

setup: ## the virtual environment with everything that tests and checks need
	@$(PYTHON) local/environment.py dev

up: ## start the stack; the first time, show the drill
	@$(PYTHON) local/environment.py run
	@$(PY) -m local up

demo: ## run the drill again
	@$(PY) -m local demo

drill-leak: ## invented people go through a stack of its own; every byte it leaves is searched for them
	@$(PYTHON) local/environment.py run
	@$(PY) -m local.leak_drill

down: ## stop everything; the data stays
	@$(PY) -m local down

reset: ## stop everything and delete the data, after asking (YES=1 does not ask)
	@$(PY) -m local reset

status: ## what runs, how well, where
	@$(PY) -m local status

logs: ## the last lines of every log
	@$(PY) -m local logs

test: setup ## every test but the slow ones
	@$(PY) -m pytest -n 2 --dist loadscope -m "not slow"

test-slow: setup ## the slow tests: the whole system, faults, long histories
	@$(PY) -m pytest -m slow

test-unit: setup ## the tests that start no server
	@$(PY) -m pytest -m "not slow and not servers"

check: setup ## style, types, layers, contracts, deployment
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@.venv/bin/lint-imports --no-cache --no-logo
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml
	@.venv/bin/hadolint deploy/Dockerfile
	@$(PY) -m proto.generate check

bench: setup ## measure; writes docs/benchmarks.md
	@$(PY) -m benchmarks

docs: setup ## write docs/reference from the code; check the commands, links and names in every page
	@$(PY) -m docs.generate
	@$(PY) -m pytest tests/docs

proto: setup ## generate the code of the protobuf contracts
	@$(PY) -m proto.generate

locks: setup ## pin what pyproject.toml asks for
	@$(PY) locks/pin.py
