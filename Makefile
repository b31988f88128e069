# make report | check | test | proof | engines | lab-test | bench | lab | lint: each sets up what it needs in .venv, from the versions in requirements.lock
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock
# as many at once as there are processors, each with what is left of the others' tests once its own are done
PYTEST := $(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 --durations 15
TESTS := --dist worksteal -p no:nbval --ignore tests/engines --ignore tests/lab  # which takes two seconds to start, and is for notebooks

.PHONY: report check test proof tests cells engines lab-test bench gallery lab lint browser lock clean

report: .venv/core
	$(BIN)/cslib report --data data --out reports

# as in tests/conftest.py, which the kernels of notebooks do not read
check test proof: export OPENBLAS_NUM_THREADS = 1

check: lint browser  # without what is marked slow or long
	$(PYTEST) $(TESTS) -m "not slow and not long"

test: browser  # without what is marked long; all three at once: each leaves processors idle while it starts and ends
	$(MAKE) --jobs 3 lint tests cells

tests: .venv/test
	$(PYTEST) $(TESTS) -m "not long"

proof: browser  # what is marked long: intervals that cover, whole pages in a browser, processes that are stopped
	$(PYTEST) $(TESTS) -m long

cells: .venv/test  # of the notebooks, one after the other
	$(PYTEST) --numprocesses 0 --nbval-lax --nbval-current-env --nbval-cell-timeout 120 notebooks

engines: export OPENBLAS_NUM_THREADS = 1

engines: .venv/engines  # PostgreSQL and Spark against DuckDB; what is not installed is skipped, unless CSLIB_ENGINES=required
	$(PYTEST) --dist loadscope -p no:nbval tests/engines

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

browser: .venv/test
	@command -v chromium > /dev/null || $(BIN)/playwright install chromium

gallery: .venv/core  # the examples of docs/gallery
	$(BIN)/python docs/gallery/make.py

lab: .venv/lab
	$(BIN)/jupyter lab notebooks

lab-test: export OPENBLAS_NUM_THREADS = 1

lab-test: .venv/lab browser  # every notebook as make lab shows it, in a browser, against its report
	$(PYTEST) --numprocesses 0 -p no:nbval tests/lab

.venv/core: pyproject.toml requirements.lock
	@$(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))" \
	  || { echo "cslib needs Python 3.11 to 3.13: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) --editable .
	@touch $@

.venv/test: .venv/core
	$(PIP) --editable ".[test]"
	@touch $@

.venv/engines: .venv/test
	$(PIP) --editable ".[test,postgres,spark]"
	@touch $@

bench: .venv/bench  # against bare queries and other tools, in half an hour; make bench SCALE=0.1 is smaller
	$(BIN)/python tests/benchmarks/bench.py --scale $(or $(SCALE),1)

.venv/bench: .venv/core
	$(PIP) --editable ".[bench]"
	@touch $@

.venv/lab: .venv/core
	$(PIP) --editable ".[lab]"
	@touch $@

lock: .venv/core  # the newest versions that pyproject.toml allows, for every Python it names
	$(PIP) uv
	$(BIN)/uv pip compile pyproject.toml --extra alert --extra lab --extra test --extra postgres --extra spark --extra bench --universal --python-version 3.11 \
	  --upgrade --quiet --no-header --no-annotate --output-file requirements.lock

clean:
	find reports -mindepth 1 -type l -delete
	rm -rf .venv reports/*/ reports/*.html reports/*.failed.* reports/alerts.json reports/digest.md reports/.alerts.lock
