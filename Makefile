# Two commands on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

DATA ?= ../shared/data

.PHONY: demo test quick reference label-studio label-studio-stop starter lint clean

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# Makes a small corpus (a real face, synthesised speech), annotates it, shows the table.
demo: .venv/installed
	$(BIN)/python benchmarks/demo_corpus.py demo/corpus
	$(BIN)/annotate run demo/corpus demo/corpus/manifest.csv --workspace demo/.annotate
	$(BIN)/annotate list --uncertain-top 20 --workspace demo/.annotate

# A thread a worker: more would only wait for each other. The order is that of tests/conftest.py.
test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 25

# What fails first, in a fraction of the time.
quick: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m 'not slow'

# A real Label Studio for the tests, in the background: about 1 GB in build/label-studio.
label-studio: .venv/installed
	$(BIN)/python tests/label_studio_server.py install
	$(BIN)/python tests/label_studio_server.py start

label-studio-stop: .venv/installed
	$(BIN)/python tests/label_studio_server.py stop

# Makes the text encoder and the model that ship, of public data in DATA: about forty minutes.
starter: .venv/installed
	$(BIN)/python -m annotator.starter text --data $(DATA) --out annotator/features/weights/minilm.safetensors
	OMP_NUM_THREADS=1 $(BIN)/python -m annotator.starter corpus --data $(DATA) --out build/starter/corpus
	$(BIN)/annotate train build/starter/corpus --out build/starter/training --config benchmarks/starter.toml
	rm -rf annotator/models/starter
	$(BIN)/python -m annotator.starter ship build/starter/training --out annotator/models/starter
	$(BIN)/python benchmarks/starter.py build/starter/corpus

# Makes docs/reference.md anew, of what the commands say of themselves.
reference: .venv/installed
	$(BIN)/python docs/cli_reference.py

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

clean:
	rm -rf .venv build dist demo *.egg-info
