# `make demo` and `make test` set up everything they need in .venv by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo test check lint docs bench tables lock audit sbom rooms clean

demo: $(VENV)/.demo
	$(BIN)/interlingua demo

# tiny models on several threads wait for each other more than they compute; files of tests share two to four processes
test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile

check: lint test

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m interlingua.benchmarks report --check

# the site, in site/, without the network; open it with: .venv/bin/python -m http.server -d site
docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet --config-file docs/site/mkdocs.yml

# needs the data sets of docs/data.md; encoding and training take hours the first time; the cache keeps the encoded texts
bench: $(VENV)/.dev
	$(BIN)/python -m interlingua.benchmarks all; code=$$?; $(BIN)/python -m interlingua.benchmarks report && exit $$code

tables: $(VENV)/.dev
	$(BIN)/python -m interlingua.benchmarks report

# the four below need tools and the network, and are no part of `make check`; SECURITY.md says what they are for
UV ?= uv
LOCK := $(UV) pip compile pyproject.toml --quiet --no-header --generate-hashes --constraint constraints.txt --python-version 3.11

lock:
	$(LOCK) --universal --extra demo --output-file locks/demo.txt
	$(LOCK) --python-platform x86_64-unknown-linux-gnu --extra demo --extra dev --no-emit-package torch \
		--output-file locks/dev.txt

audit:
	pip-audit --strict --disable-pip --require-hashes --requirement locks/demo.txt
	pip-audit --strict --disable-pip --require-hashes --requirement locks/dev.txt

sbom: $(VENV)/.dev
	cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml --output-reproducible --output-file sbom.json

rooms:
	tests/clean_rooms.sh

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# not compiled: Python does that for the modules that are imported
$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --no-compile --editable ".[demo]"
	touch $@

# torch goes first: the version in constraints.txt decides which build everything else is installed against
$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.demo
	$(PIP) torch
	$(PIP) --editable ".[demo,dev]"
	touch $@

clean:
	rm -rf $(VENV) build dist site *.egg-info demo-output .mypy_cache .ruff_cache .pytest_cache
