# make demo   installs into .venv and makes the first pictures
# make test   installs the development tools too and runs every check
# make quick  lint, types and the unit tests: no whole runs, no processes, not a hundred networks, not each option
# make clusters  the tests on a real Ray and a real SLURM, on this machine (SLURM as root, on Debian)
# make browser  the pages of runs in a real Chromium (installed as root, on Debian)
# make lock   resolves the lock files anew (needs uv; see constraints.txt)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES := $(shell $(PYTHON) -c 'import os; print(min(8, os.cpu_count() or 1))')
# what one process has compiled, others find: many start
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/pytest --dist worksteal
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test quick clusters browser lint style types imports all-tests unit-tests install install-dev lock clean

demo: $(VENV)/.installed
	@$(BIN)/python -m featviz +experiment=layer4_sweep
	@echo
	@echo "Pictures:    outputs/layer4_sweep/ (summary.png, and images/ of each run)"
	@echo "TensorBoard: $(BIN)/tensorboard --logdir outputs"

# tests and checks go side by side: each of these is one process for a while
test: $(VENV)/.installed-dev
	$(BIN)/pre-commit validate-config .pre-commit-config.yaml
	$(MAKE) --jobs 4 lint all-tests

quick: $(VENV)/.installed-dev
	$(MAKE) --jobs 4 lint unit-tests

# one process more than cores: some tests wait for processes of their own
all-tests: $(VENV)/.installed-dev
	$(PYTEST) --numprocesses $$(($(CORES) + 1)) -m "not browser"

unit-tests: $(VENV)/.installed-dev
	$(PYTEST) --numprocesses $(CORES) -m "not (process or end_to_end or networks or options or browser)"

clusters: $(VENV)/.installed-dev
	scripts/test_clusters.sh

browser: $(VENV)/.installed-dev
	scripts/test_browser.sh

lint: style types imports

style: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

imports: $(VENV)/.installed-dev
	$(BIN)/lint-imports --no-cache

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --no-deps --require-hashes -r requirements.lock
	$(PIP) install --no-deps --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(PIP) install --no-deps --require-hashes -r requirements-dev.lock
	@touch $@

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet \
	  --constraint constraints.txt --output-file requirements.lock pyproject.toml
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet \
	  --constraint requirements.lock --extra dev --output-file requirements-dev.lock pyproject.toml

clean:
	rm -rf $(VENV) .venv-ray .mypy_cache .ruff_cache .pytest_cache
