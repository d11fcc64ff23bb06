# Every target sets up .venv by itself: the versions of constraints.txt, the package editable.
#   make quickstart    make a world, train on it, evaluate (7 to 15 minutes on two cores)
#   make test          the tests that take seconds
#   make lint          ruff and mypy
# JOBS is how many processes run the quick tests.
# TORCH_INDEX picks another build of torch, e.g. https://download.pytorch.org/whl/cpu (or cu130 ...).

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TORCH_INDEX ?=
JOBS ?= 2
REAL ?= ../shared/data/real_samples

.PHONY: install quickstart test slow lint bench clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -c constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(BIN)/python -m pip install -c constraints.txt -e '.[dev,openai]'
	touch $@

quickstart: $(STAMP)
	$(BIN)/nextreid quickstart $(if $(wildcard $(REAL)),--also-embed $(REAL))

test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n $(JOBS) --dist loadfile

slow: $(STAMP)
	$(BIN)/python -m pytest

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache src/*.egg-info
