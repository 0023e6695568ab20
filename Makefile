# The verbs of this project. `make` alone explains them.
#
#   INVENTORY=inventories/hybrid  which network `demo` builds; its lab is lab/topologies/<the same name>.yml
#   FRR=source                    `demo` with an FRR from source instead of the distribution's, built in containers and kept
#   PYTHON=python3.12             which Python the virtual environment is made with (3.11 or newer)

INVENTORY ?= inventories/hybrid
FRR       ?= package
TOPOLOGY   = $(notdir $(patsubst %/,%,$(INVENTORY)))
CONNECTION = build/lab/$(TOPOLOGY)/connection.yml
PYTHON    ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
BIN        = .venv/bin
# Emulated machines answer late on a busy controller.
PLAYBOOK   = ANSIBLE_TIMEOUT=60 ANSIBLE_DEPRECATION_WARNINGS=False $(BIN)/ansible-playbook --inventory $(INVENTORY) --inventory $(CONNECTION)
# Where molecule/frr_build leaves what it builds.
ARTIFACTS  = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/xuegao-net/containers/artifacts

.DEFAULT_GOAL := help
.PHONY: help demo demo-down unit coverage check test live containers managers campaign bench setup-python setup-demo setup-test setup-frr-package setup-frr-source requirements-lock docs docs-generated docs-pictures collection

help:
	@echo 'make demo        from a bare machine to the running network and its report'
	@echo 'make demo-down   remove all of it'
	@echo 'make unit        the unit tests alone, on all processors (the inner loop)'
	@echo 'make coverage    the unit tests, and which lines and branches of plugins they reach'
	@echo 'make check       lint, types, unit tests, golden files (before each commit)'
	@echo 'make test        everything CI runs'
	@echo 'make live        every group of tests of the running hybrid network, and the way of a plain user; make test takes some of them, others with another commit'
	@echo 'make containers  every role on Debian 12 and 13 in containers; make test takes half of the long ones, the other half with another commit'
	@echo 'make managers    what network managers do to a router, on eleven systems, an hour; build/managers.json (XGN_SYSTEM=trixie-netplan: one of them)'
	@echo 'make campaign    every fault that a network lives through, hours; make test takes a sample (XGN_FAULTS=wire: those of a kind, or by a part of their name)'
	@echo 'make bench       figures, also in build/bench.json'
	@echo 'make docs        the HTML site in build/docs/html, and the generated pages written anew'
	@echo 'make docs-pictures   the pictures of README.md, by Graphviz and Chromium'
	@echo 'make requirements-lock   requirements-dev.lock anew: what requirements-dev.txt comes to, with hashes'
	@echo 'make collection  the tarball in build, for ansible-galaxy collection install'
	@echo
	@echo 'demo and demo-down take'
	@echo '  INVENTORY=inventories/t1_t2   the pair of routers; without it inventories/hybrid, the whole network'
	@echo '  FRR=source                    an FRR built from source; without it that of the distribution'
	@echo 'all take'
	@echo '  PYTHON=python3.12             the Python of the virtual environment, 3.11 or newer'

# ---- set-up ----------------------------------------------------------------------------------------------------------

setup-python:
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer is needed and was not found. Remedy: install it, or name it: make PYTHON=/path/to/python3.11 …' >&2; exit 1; }
	@$(PYTHON) tools/system-packages base
	@$(MAKE) --no-print-directory .venv/installed

# Made anew when the requirements change; kept otherwise. The retries bridge two minutes without a registry.
.venv/installed: requirements-dev.lock
	@echo 'Preparing the virtual environment .venv (two to five minutes, without a word) …'
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --retries 9 --require-hashes --requirement requirements-dev.lock
	@touch $@

# What requirements-dev.txt comes to, with hashes: one file for every Python and machine, which pip itself cannot write. Behind each change of it.
requirements-lock:
	@$(PYTHON) -m venv --clear build/uv
	@build/uv/bin/python -m pip install --quiet --disable-pip-version-check uv
	@sed --quiet '/^#/!q; p' requirements-dev.lock >build/requirements-dev.lock
	@build/uv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-annotate --no-header --no-emit-index-url requirements-dev.txt >>build/requirements-dev.lock
	@mv build/requirements-dev.lock requirements-dev.lock

setup-demo: setup-python
	@$(PYTHON) tools/system-packages lab report

setup-test: setup-demo
	@$(PYTHON) tools/system-packages containers browser

setup-frr-package:

# Never on the lab's emulated machines. What is built already is taken as it is. What an interrupted run left goes first, and creation knows no --limit.
setup-frr-source: setup-python
	@$(PYTHON) tools/system-packages containers
	@$(BIN)/python tests/containers molecule destroy -s frr_build
	@$(BIN)/python tests/containers molecule create -s frr_build
	@$(BIN)/python tests/containers molecule converge -s frr_build -- --limit build_hosts
	@$(BIN)/python tests/containers molecule destroy -s frr_build
	@$(BIN)/python tests/containers stop

# ---- verbs -----------------------------------------------------------------------------------------------------------

demo: setup-demo setup-frr-$(FRR)
	@$(BIN)/python -m lab up $(TOPOLOGY)
	@$(PLAYBOOK) xuegao.net.site --extra-vars frr_install_method=$(FRR) --extra-vars xgn_artifact_directory=$(ARTIFACTS)
	@$(PLAYBOOK) xuegao.net.verify

demo-down: setup-python
	@$(BIN)/python -m lab down $(TOPOLOGY)

unit: setup-python
	@$(BIN)/python tools/stages.py unit

coverage: setup-python
	@$(BIN)/python tools/stages.py coverage

check: setup-python
	@$(BIN)/python tools/stages.py check

test: setup-test
	@$(BIN)/python tools/stages.py test

live: setup-demo
	@$(BIN)/python tools/stages.py live

containers: setup-test
	@$(BIN)/python tools/stages.py containers

managers: setup-demo
	@$(BIN)/python tools/stages.py managers

campaign: setup-demo
	@$(BIN)/python tests/vm/campaign.py

bench: setup-python
	@$(BIN)/python tests/bench/run.py

# Pages of the repository that are written from the code; tests keep them current.
docs-generated: setup-python
	@$(BIN)/python tools/generate_docs.py
	@$(BIN)/python tools/generate_contract.py
	@$(BIN)/python docs/data-model/generate.py

docs: docs-generated
	@$(BIN)/python tools/build_site.py

# Needs Graphviz and Chromium. Their versions show in the pictures, so these are made by hand and looked at.
docs-pictures: setup-python
	@$(BIN)/python tools/make_pictures.py

collection: setup-python
	@mkdir -p build
	@$(BIN)/ansible-galaxy collection build --force --output-path build .
