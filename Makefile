# `make demo` and `make test` set up everything they need in .venv by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo test check lint bench tables clean

demo: $(VENV)/.demo
	$(BIN)/interlingua demo

# tiny models on several threads wait for each other more than they compute
test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest

check: lint test

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m interlingua.benchmarks.report --check

# needs the data sets of docs/data.md; encoding and training take hours the first time; the cache keeps the encoded texts
bench: $(VENV)/.dev
	$(BIN)/python -m interlingua.benchmarks.storage
	$(BIN)/python -m interlingua.benchmarks.encoder_agreement
	$(BIN)/python -m interlingua.benchmarks.udhr
	$(BIN)/python -m interlingua.benchmarks.bli
	$(BIN)/python -m interlingua.benchmarks.tatoeba
	$(BIN)/python -m interlingua.benchmarks.search
	$(BIN)/python -m interlingua.benchmarks.xquad_r
	$(BIN)/python -m interlingua.benchmarks.sib200
	$(BIN)/python -m interlingua.benchmarks.finetuning
	$(BIN)/python -m interlingua.benchmarks.distillation
	$(BIN)/python -m interlingua.benchmarks.pretraining
	$(BIN)/python -m interlingua.benchmarks.finetune_sib200
	$(BIN)/python -m interlingua.benchmarks.respond
	$(BIN)/python -m interlingua.benchmarks.mining
	$(BIN)/python -m interlingua.benchmarks.answers
	$(BIN)/python -m interlingua.benchmarks.dbp15k
	$(BIN)/python -m interlingua.benchmarks.linking
	$(BIN)/python -m interlingua.benchmarks.reconcile
	$(BIN)/python -m interlingua.benchmarks.documents
	$(BIN)/python -m interlingua.benchmarks.matching
	$(BIN)/python -m interlingua.benchmarks.translation
	$(BIN)/python -m interlingua.benchmarks.pos_pud
	$(BIN)/python -m interlingua.benchmarks.xcopa
	$(BIN)/python -m interlingua.benchmarks.blse
	$(BIN)/python -m interlingua.benchmarks.xquad_r_pairs
	$(BIN)/python -m interlingua.benchmarks.answer_spans
	$(BIN)/python -m interlingua.benchmarks.export
	$(BIN)/python -m interlingua.benchmarks.scale
	$(BIN)/python -m interlingua.benchmarks.durability
	$(BIN)/python -m interlingua.benchmarks.ann
	$(BIN)/python -m interlingua.benchmarks.milvus
	$(BIN)/python -m interlingua.benchmarks.multilingual
	$(BIN)/python -m interlingua.benchmarks.confidence
	$(BIN)/python -m interlingua.benchmarks.ranking
	$(BIN)/python -m interlingua.benchmarks.adversarial
	$(BIN)/python -m interlingua.benchmarks.setup_cost
	$(BIN)/python -m interlingua.benchmarks.report

tables: $(VENV)/.dev
	$(BIN)/python -m interlingua.benchmarks.report

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# torch goes first: the version in constraints.txt decides which build everything else is installed against
$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) torch
	$(PIP) --editable ".[demo]"
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.demo
	$(PIP) --editable ".[demo,dev]"
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info demo-output .mypy_cache .ruff_cache .pytest_cache
