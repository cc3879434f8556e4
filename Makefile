# Two commands for newcomers: `make book` and `make test`. Each makes the environment (.venv) first if it is not there.
PYTHON ?= python3
BIN := .venv/bin
CORES ?= 2

.PHONY: book test lab notebooks scoreboard lint clean

book: .venv/ready  ## execute the notebooks and build the book
	@echo "Executing the notebooks: two at a time, some four minutes in all"
	@$(BIN)/snakemake --cores $(CORES) --quiet rules -- book
	@echo "The book is at file://$(CURDIR)/_build/html/index.html"

test: .venv/ready  ## the fast tests; in CI all of them
	$(BIN)/python -m pytest $(if $(CI),--slow)

lab: .venv/ready  ## JupyterLab on the notebooks
	$(BIN)/jupyter lab notebooks

notebooks: .venv/ready  ## write each notebook from its .py
	$(BIN)/jupytext --quiet --update --to ipynb notebooks/*.py

scoreboard: .venv/ready  ## refresh the README's table from the records
	$(BIN)/python -m srlib.ledger_pages README.md

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:  ## remove what `make book` made, but not the environment
	rm -rf _build book/notebooks .snakemake

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11 to 3.13 is wanted: make PYTHON=python3.11")'
	@echo "Making the environment in .venv (some minutes, once)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt --editable '.[book,dev]'
	@touch $@
