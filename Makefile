# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# usage: make preflight [INVENTORY=hosts.ini] [ARGS="--limit pbs1"], make test, ...; `make` alone lists the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := $(CURDIR)/.venv
ARGS ?=

# Where Python and Ansible find this checkout as the collection, and only it.
export PYTHONPATH := $(CURDIR)/.collections
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.collections
# Only local files: do not ask Galaxy for a newer version.
export ANSIBLE_GALAXY_SERVER_LIST :=
export PATH := $(VENV)/bin:$(PATH):/usr/local/sbin:/usr/sbin:/sbin
export INVENTORY ARGS

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: venv
venv: ## make .venv and .collections, with everything for development
	@scripts/setup test

.PHONY: preflight
preflight: ## check the hosts of INVENTORY=...; without one, a demonstration fleet on this machine
	@scripts/setup $(if $(INVENTORY),controller,demo)
	@scripts/preflight

# Two at a time, since a test mostly waits for a program that it has started.
JOBS ?= 2

.PHONY: test
test: venv ## all gates, even if one fails: unit, integration, campaigns, lint, ... (JOBS=1: one after the other)
	@python scripts/gates.py --jobs $(JOBS) unit integration campaigns lint typecheck sanity ansible-units importer

.PHONY: pytest
pytest: venv ## all tests of pytest in one run (ARGS="-k word")
	pytest $(ARGS)

# A directory of tests, unless ARGS names tests of its own.
paths = $(if $(filter tests/%,$(ARGS)),,$(1))

.PHONY: unit
unit: venv ## unit tests (ARGS="-k word", or ARGS="tests/unit/…" for some of them)
	pytest $(call paths,tests/unit) $(ARGS)

.PHONY: integration
integration: venv ## tests of roles, playbooks and the make targets (ARGS="-k word")
	pytest $(call paths,tests/integration) $(ARGS)

.PHONY: campaigns
campaigns: venv ## every attack and fault, a few times each (ARGS="-k word")
	pytest $(call paths,tests/reliability) $(ARGS)

.PHONY: reliability
reliability: venv ## every attack and fault at full length, JOBS at a time, into docs/reliability.md (ARGS="-k word")
	python scripts/reliability.py --jobs $(JOBS) $(ARGS)

.PHONY: fuzz
fuzz: ## every parser under a coverage-guided fuzzer, 20 s each (ARGS="--seconds 300 --only NAME")
	@scripts/setup fuzz || { \
		echo "make fuzz: what requirements/fuzz.txt names cannot be installed for $$($(VENV)/bin/python --version); atheris" \
			"has builds for CPython 3.11 to 3.13 on Linux. Remove .venv and name one: make fuzz PYTHON=/path/to/python3.12" >&2; \
		exit 2; }
	@python tests/fuzz/run.py $(ARGS)

.PHONY: lint
lint: venv ## style and form of every file
	scripts/lint

.PHONY: format
format: venv ## format the Python files as lint requires
	ruff check --fix-only --quiet .
	ruff format --quiet .

.PHONY: typecheck
typecheck: venv ## mypy, strict
	mypy --package ansible_collections.fleetops.pbs.plugins

.PHONY: sanity
sanity: venv ## ansible-test sanity (ARGS="--test validate-modules")
	python scripts/run_ansible_test.py sanity $(ARGS)

.PHONY: ansible-units
ansible-units: venv ## ansible-test units: what needs no filesystem, on the oldest and the newest Python of managed hosts
	python scripts/run_ansible_test.py units $(ARGS)

.PHONY: importer
importer: venv ## galaxy-importer on the artefact; a warning fails
	python scripts/import_artefact.py

.PHONY: test-matrix
test-matrix: venv ## modules, roles, playbooks: ansible-core 2.19 to 2.21 with Python 3.9 to 3.13 (ARGS="--core 2.20")
	python scripts/matrix.py $(ARGS)

.PHONY: generate
generate: venv ## generate what is derived from the code: docs/document.schema.json, docs/controls.md
	python scripts/generate.py

.PHONY: bench
bench: bench-owners bench-references ## both benchmarks of the walk (ARGS="--chunks 65536 --rounds 1", for both)

.PHONY: bench-owners
bench-owners: venv ## measure against find, chown and ansible.builtin.file
	benchmarks/run $(ARGS)

.PHONY: bench-references
bench-references: venv ## measure what it costs to read every index (ARGS="--references 5000000 --rounds 1")
	python -m ansible_collections.fleetops.pbs.benchmarks.references $(ARGS)

.PHONY: bench-fleet
bench-fleet: venv ## measure the preflight of 200 simulated hosts against a ping (ARGS="--hosts 20 --forks 5")
	python -m ansible_collections.fleetops.pbs.benchmarks.fleet $(ARGS)

.PHONY: build
build: venv ## the artefact that users install, in build/
	@mkdir -p build
	ansible-galaxy collection build --force --output-path build .

.PHONY: lock
lock: venv ## update the lock files of requirements/ to the newest versions
	scripts/lock

.PHONY: clean
clean: ## remove everything that make created, and the results of runs
	rm -rf .venv .collections .cache .ansible .mypy_cache .pytest_cache .ruff_cache .hypothesis build tests/output
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: molecule
molecule: ## the playbooks on Debian hosts that boot systemd, in containers (ARGS="-s preflight")
	@scripts/setup molecule
	@scripts/molecule

.PHONY: clean-debian
clean-debian: ## the README's two commands in a Debian 13 with nothing but its packages (one: ARGS="'make preflight'")
	@scripts/clean_debian $(ARGS)

.PHONY: docs
docs: ## the documentation of modules, roles and pages as a site, in build/docs/html; a warning fails
	@VENV=.cache/docs scripts/setup docs
	@PATH="$(CURDIR)/.cache/docs/bin:$$PATH" scripts/docs
