# What a newcomer types. Needs make and Python 3.11 or newer; everything else comes into .venv by itself.

UV_VERSION := 0.13.9
BIN := .venv/bin
UV := $(BIN)/uv
UV_READY := .venv/.uv-$(UV_VERSION)
READY := .venv/.ready
QUICK := not broker and not model and not slow

.DEFAULT_GOAL := help
.PHONY: help demo test test-quick chaos quality bench-bus bench-asr bench-live check format lock clean

help:  ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY)  ## See it work: sample calls become insights. ARGS="--speed 4 --keep" goes to `callbus demo`
	@$(BIN)/callbus demo $(ARGS)

test: test-quick  ## Everything: style, types, layers, and all tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not ($(QUICK)) and not alone and not chaos" $(SPREAD) $(ARGS)
	$(BIN)/pytest -m "alone and not chaos" $(ARGS)

chaos: $(READY)  ## Kill, freeze and replace real workers, break each guarantee on purpose, write docs/chaos.md (25 minutes)
	$(BIN)/python -m tests.chaos --breaks --report docs/chaos.md $(ARGS)
	$(BIN)/pytest -s -m chaos tests/integration/test_transcription_killed.py

quality: $(READY)  ## How good the consumers are, on calls with truth; writes docs/quality.md (1 minute). ARGS="--only text"
	$(BIN)/callbus evaluate samples $(wildcard domain/calls/unseen) --report docs/quality.md $(ARGS)

bench-bus: $(READY)  ## Measure the bus beside a bare loop and Faust, write docs/bench-bus.md (15 minutes). ARGS="throughput"
	$(BIN)/python -m tests.bench.bus $(ARGS)

bench-live: $(READY)  ## How many live calls at once, how soon words come; writes docs/bench-live.md (12 minutes). ARGS="4 8"
	$(BIN)/python -m tests.bench.live $(ARGS)

bench-asr: $(READY)  ## Measure recognition beside faster-whisper's two ways, write docs/bench-asr.md (4 minutes)
	@$(BIN)/python -m tests.bench.asr $(ARGS)

test-quick: check  ## What needs neither a broker nor a model
	$(BIN)/pytest -m "$(QUICK)" $(SPREAD) $(ARGS)

check: $(READY)  ## Style, types and layers only
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(READY)  ## Rewrite the code in the house's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(UV_READY)  ## Write the locks after a change of dependencies; ARGS=--upgrade takes the newest
	$(UV) pip compile $(COMPILE) --group dev pyproject.toml -o requirements.lock $(ARGS)
	$(UV) pip compile $(COMPILE) deploy/cuda.in -o deploy/cuda.lock $(ARGS)

clean:  ## Remove all that make and the tools made, .venv too
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find callbus consumers producers schemas tests -name __pycache__ -prune -exec rm -rf {} +

# Tests run side by side, whole files at a time, but for those that measure times.
SPREAD := -n auto --maxprocesses 4 --dist loadfile
# 3.11, whatever Python is here: uv would otherwise lock for this one and newer only.
COMPILE := --quiet --universal --python-version 3.11 --generate-hashes --no-header

test test-quick: export HF_HUB_OFFLINE := 1
test-quick: export OMP_NUM_THREADS := 1

$(READY): requirements.lock pyproject.toml | $(UV_READY)
	@echo "Installing what requirements.lock names into .venv (the first time some GB: half a minute and the download)"
	@VIRTUAL_ENV=.venv $(UV) pip install --require-hashes -r requirements.lock
	@VIRTUAL_ENV=.venv $(UV) pip install --quiet --no-deps --build-constraint requirements.lock -e .
	@touch $@

$(UV_READY):
	@if ! $(BIN)/python -c '$(NEW_ENOUGH)' 2>/dev/null; then \
	  for python in python3.13 python3.12 python3.11 python3.14 python3 ""; do \
	    test -z "$$python" || ! $$python -c '$(NEW_ENOUGH)' 2>/dev/null || break; \
	  done; \
	  if test -z "$$python"; then \
	    echo "callbus needs Python 3.11 or newer, and found: $$(python3 --version 2>&1 || true)." >&2; \
	    echo "Install one (Debian: apt install python3 python3-venv), then run make again." >&2; exit 1; \
	  fi; \
	  echo "Making .venv with $$($$python --version)"; \
	  $$python -m venv --clear .venv || { \
	    echo "$$python can't make a virtual environment (Debian: apt install python3-venv)." >&2; exit 1; }; \
	fi
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
