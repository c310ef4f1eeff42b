# Two commands on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint clean

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# Makes a small corpus (a real face, synthesised speech), annotates it, shows the table.
demo: .venv/installed
	$(BIN)/python benchmarks/demo_corpus.py demo/corpus
	$(BIN)/annotate run demo/corpus demo/corpus/manifest.csv --workspace demo/.annotate
	$(BIN)/annotate list --uncertain-top 20 --workspace demo/.annotate

# A thread a worker: more would only wait for each other.
test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

clean:
	rm -rf .venv build dist demo *.egg-info
