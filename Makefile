# Two commands set everything up: `make demo` and `make test`. Each makes .venv when it is missing.
PYTHON ?= python3
UV ?= uv
BIN := .venv/bin

.PHONY: demo test check fmt golden docs bench lock clean

demo: .venv/.installed
	$(BIN)/linnet fit

test: .venv/.installed-dev
	$(BIN)/python -m pytest -m "not slow and not gpu"

check: .venv/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

fmt: .venv/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

golden: .venv/.installed-dev
	$(BIN)/python tests/golden/rewrite.py

docs: .venv/.installed-dev
	$(BIN)/python docs/reference/make_models.py
	$(BIN)/python docs/reference/make_recipe.py

bench: .venv/.installed-dev
	@echo "Each file in benchmarks/ is one comparison; its first lines say how to run it."
	@ls benchmarks/*.py

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[lite]"
	@touch $@

.venv/.installed-dev: .venv/.installed
	$(BIN)/python -m pip install --quiet --editable ".[lite]" --group dev
	@touch $@

lock:
	$(UV) lock --upgrade

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis
