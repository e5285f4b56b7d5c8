# Two commands: `make demo` and `make test`. Everything lands in .venv.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# one thread per worker: two workers on two cores with two threads each can be
# a hundred times slower
export OMP_NUM_THREADS := 1

.PHONY: demo test test-here test-clusters check install clean

demo: $(VENV)/.installed
	$(BIN)/weft run examples/01_chignolin/campaign.yaml --site local

# side by side, since tests on clusters mostly wait
test: $(VENV)/.installed-dev check
	$(MAKE) --jobs=2 --keep-going --output-sync=none test-here test-clusters

test-here:
	$(BIN)/python -m pytest --ignore tests/slurm --ignore tests/gridengine

test-clusters:
	$(BIN)/python -m pytest tests/slurm tests/gridengine

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV)
