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
	$(BIN)/python -m interlingua.benchmarks.harness.report --check

# needs the data sets of docs/data.md; encoding and training take hours the first time; the cache keeps the encoded texts
bench: $(VENV)/.dev
	$(BIN)/python -m interlingua.benchmarks.search.storage
	$(BIN)/python -m interlingua.benchmarks.sentences.encoder_agreement
	$(BIN)/python -m interlingua.benchmarks.sentences.udhr
	$(BIN)/python -m interlingua.benchmarks.words.bli
	$(BIN)/python -m interlingua.benchmarks.sentences.tatoeba
	$(BIN)/python -m interlingua.benchmarks.search.search
	$(BIN)/python -m interlingua.benchmarks.sentences.xquad_r
	$(BIN)/python -m interlingua.benchmarks.sentences.sib200
	$(BIN)/python -m interlingua.benchmarks.training.finetuning
	$(BIN)/python -m interlingua.benchmarks.training.distillation
	$(BIN)/python -m interlingua.benchmarks.training.pretraining
	$(BIN)/python -m interlingua.benchmarks.training.finetune_sib200
	$(BIN)/python -m interlingua.benchmarks.search.respond
	$(BIN)/python -m interlingua.benchmarks.sentences.mining
	$(BIN)/python -m interlingua.benchmarks.search.answers
	$(BIN)/python -m interlingua.benchmarks.graphs.dbp15k
	$(BIN)/python -m interlingua.benchmarks.linking.linking
	$(BIN)/python -m interlingua.benchmarks.linking.reconcile
	$(BIN)/python -m interlingua.benchmarks.sentences.documents
	$(BIN)/python -m interlingua.benchmarks.words.matching
	$(BIN)/python -m interlingua.benchmarks.words.translation
	$(BIN)/python -m interlingua.benchmarks.sentences.pos_pud
	$(BIN)/python -m interlingua.benchmarks.sentences.xcopa
	$(BIN)/python -m interlingua.benchmarks.sentences.blse
	$(BIN)/python -m interlingua.benchmarks.sentences.xquad_r_pairs
	$(BIN)/python -m interlingua.benchmarks.search.answer_spans
	$(BIN)/python -m interlingua.benchmarks.sentences.export
	$(BIN)/python -m interlingua.benchmarks.search.scale
	$(BIN)/python -m interlingua.benchmarks.search.durability
	$(BIN)/python -m interlingua.benchmarks.search.ann
	$(BIN)/python -m interlingua.benchmarks.search.milvus
	$(BIN)/python -m interlingua.benchmarks.words.multilingual
	$(BIN)/python -m interlingua.benchmarks.words.confidence
	$(BIN)/python -m interlingua.benchmarks.words.ranking
	$(BIN)/python -m interlingua.benchmarks.words.adversarial
	$(BIN)/python -m interlingua.benchmarks.harness.setup_cost
	$(BIN)/python -m interlingua.benchmarks.harness.report

tables: $(VENV)/.dev
	$(BIN)/python -m interlingua.benchmarks.harness.report

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
