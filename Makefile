# make demo   installs into .venv and makes the first pictures
# make test   installs the development tools too and runs every check
# make quick  lint, types and the unit tests: no whole runs, no processes, not a hundred networks
# make clusters  the tests on a real Ray and a real SLURM, on this machine (SLURM as root, on Debian)
# make browser  the pages of runs in a real Chromium (installed as root, on Debian)
# make lock   resolves the lock files anew (needs uv; see constraints.txt)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --maxprocesses 8 --dist worksteal
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test quick clusters browser lint install install-dev lock clean

demo: $(VENV)/.installed
	@$(BIN)/python -m featviz +experiment=layer4_sweep
	@echo
	@echo "Pictures:    outputs/layer4_sweep/ (summary.png, and images/ of each run)"
	@echo "TensorBoard: $(BIN)/tensorboard --logdir outputs"

test: lint
	$(BIN)/pre-commit validate-config .pre-commit-config.yaml
	$(PYTEST) -m "not browser"

quick: lint
	$(PYTEST) -m "not process and not end_to_end and not networks and not browser"

clusters: $(VENV)/.installed-dev
	scripts/test_clusters.sh

browser: $(VENV)/.installed-dev
	scripts/test_browser.sh

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
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
