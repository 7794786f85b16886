# make book and make test need Python 3.11+, git and make; everything else goes into .venv.

PYTHON ?= python3
PROFILE ?= quick
FORMAT ?= html
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help book test lint bench memory gpu fuzz crash branches colab oldest relock dist rename clean
help: ## show this
	@grep -hE '^[a-z ]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

book: $(READY) ## run the chapters and build the book (PROFILE=full for the published one, FORMAT=pdf or zip for one file)
	@$(BIN)/mffrepro book --profile $(PROFILE) --format $(FORMAT)

test: $(READY) ## run the test suite
	@$(BIN)/python -m pytest --ignore tests/branches

lint: $(READY) ## check style and import floors
	@$(BIN)/ruff check --no-cache .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache

bench: $(READY) ## time metrics and methods on this machine
	@for script in tests/perf/bench_*.py; do $(BIN)/python $$script || exit 1; done

memory: $(READY) ## measure the peak memory of lp and gacn on 3, 6 and 12 photographs of 24 MP (half an hour)
	@$(BIN)/python tests/perf/measure_memory.py $(ARGS)

gpu: $(READY) ## on a GPU: its tests, the full book and the study of transfer, with a report (gpu-report.md)
	@$(BIN)/python tests/gpu/run.py

fuzz: $(READY) ## read spoilt files for an hour (SECONDS=3600)
	@$(BIN)/python tests/fuzz/fuzz.py --seconds $(or $(SECONDS),3600)

crash: $(READY) ## kill each command at many moments, fill the disk, run two at once
	@MFFREPRO_KILLS=$(or $(KILLS),34) $(BIN)/python -m pytest tests/crash

branches: $(READY) ## run all that only the full profile does, on little data
	@$(BIN)/python -m pytest -s tests/branches

colab oldest: %: .venv-%/.ready ## run every chapter with the versions that Colab ships, or the oldest that are supported
	@.venv-$@/bin/python tests/network/run_in_colab.py --checkout . notebooks/*.ipynb

relock: .venv-lock/.ready ## renew requirements.lock within the bounds of pyproject.toml
	@.venv-lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--all-extras pyproject.toml -o requirements.lock

dist: $(READY) ## build wheel and source archive, and try them in new environments (WEIGHTS=no: without weights, into dist/no-weights)
	@$(BIN)/python tests/release/distribution.py $(if $(filter no,$(WEIGHTS)),--no-weights)

rename: ## give the project another address: make rename TO=OWNER/NAME
	@$(PYTHON) tests/release/rename.py $(TO)

.venv-%/.ready: tests/network/%-constraints.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet -r $<
	@touch $@

clean: ## remove what builds and tests make, not .venv
	rm -rf book/_build book/_generated book/notebooks .pytest_cache .ruff_cache .hypothesis

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "mffrepro needs Python 3.11 or newer; set PYTHON=python3.x")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
