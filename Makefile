# The two commands a newcomer needs are `make demo` and `make test`; each does only what is not done yet.
SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help demo down test faults check unit setup setup-test clean

help:  ## what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

demo: setup  ## install everything, start the stack, deploy sample_app and show it
	@tools/demo

down:  ## stop the stack
	@longshore down

test: setup-test check  ## install everything, run every check and every test
	@python -m pytest -n 2 --dist loadfile

faults: setup-test  ## every fault at every point of a deployment, and the table of what it costs (an hour)
	@LONGSHORE_FAULTS=all LONGSHORE_TEST_EXAMPLES=1000 python -m pytest tests/faults -n 2 --dist loadfile

check: .venv/.dev  ## lint, format, types, import rules
	ruff check .
	ruff format --check .
	mypy
	lint-imports

unit: .venv/.dev  ## the tests that need no engine: seconds
	@python -m pytest -n 2 tests/unit tests/api tests/workers

setup: .venv/.installed
	@tools/engine
	@tools/images

setup-test: .venv/.dev
	@tools/engine
	@tools/images python:3.13-slim haproxy:3.0 registry:2 node:20-slim nginx:1
	@tools/test-packages

.venv/.installed: pyproject.toml
	@tools/venv
	@touch $@

.venv/.dev: pyproject.toml
	@tools/venv dev
	@touch .venv/.installed $@

clean:  ## remove what was installed into this folder (not the state of a stack)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
