PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DOCS_VENV ?= .venv-docs

.PHONY: study test test-all check docs benchmark clean

study: $(VENV)/installed  ## make the environment, run the quick study, say where its report is
	$(BIN)/unweave study quick

test: $(VENV)/installed  ## make the environment, run the tests
	$(BIN)/python -m pytest -q -n auto --dist worksteal

test-all: $(VENV)/installed  ## the slow tests too
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m "slow or not slow"

check: $(VENV)/installed  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(DOCS_VENV)/installed  ## the documentation site, in build/site; a warning is an error
	PATH="$(abspath $(DOCS_VENV))/bin:$$PATH" NO_MKDOCS_2_WARNING=1 mkdocs build

benchmark: $(VENV)/installed  ## every claim of speed, as ratios measured in one run
	for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

$(DOCS_VENV)/installed: docs/site/requirements.lock
	$(PYTHON) -m venv $(DOCS_VENV)
	$(DOCS_VENV)/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps -r docs/site/requirements.lock
	touch $@

clean:
	rm -rf $(VENV) $(DOCS_VENV) build/site
