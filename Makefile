# Two commands for newcomers: `make book` and `make test`. Each makes the environment (.venv) first if it is not there.
PYTHON ?= python3
BIN := .venv/bin
CORES ?= 2
# A process for each core, of one thread each; tests of one group stay together.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(CORES) --dist loadgroup
# uv reads none of pip's settings: hand on where pip looks for packages, and take the newest wherever it lies, as pip does.
# Where that is not enough, pip itself installs.
UV = UV_INDEX_STRATEGY=unsafe-best-match UV_DEFAULT_INDEX=$${UV_DEFAULT_INDEX-$$PIP_INDEX_URL} \
  UV_INDEX=$${UV_INDEX-$$PIP_EXTRA_INDEX_URL} UV_FIND_LINKS=$${UV_FIND_LINKS-$$PIP_FIND_LINKS} $(BIN)/uv
PAGE := file://$(CURDIR)/_build/html/index.html
SHELL := /bin/bash
# What Snakemake says beside a line for each finished notebook and how far it is.
CHATTER := ^(\[|Finished jobid|Select jobs|Execut|Assuming|Building DAG|Using shell|Provided cores|Rules claiming|Complete log|$$)

.PHONY: book pdf links test weekly lab in-step notebooks scoreboard lint clean

book: .venv/ready  ## execute the notebooks that changed, build the book, and open it where there is a desktop
	@echo "Executing the notebooks that changed, $(CORES) at a time; then the pages"
	@set -o pipefail; $(BIN)/snakemake --cores $(CORES) --quiet rules host -- book 2>&1 | grep --line-buffered -vE '$(CHATTER)'
	@echo "The book is at $(PAGE)"
	@case "$(if $(CI),,$$(uname)$$DISPLAY$$WAYLAND_DISPLAY)" in \
	  Darwin*) open $(PAGE) ;; Linux?*) xdg-open $(PAGE) >/dev/null 2>&1 & ;; esac || true

pdf: book  ## the whole book as one file, printed by Chromium
	$(BIN)/python book/pdf.py _build/srlib.pdf

links: book  ## ask whether the pages that the book links to are still there
	$(BIN)/jupyter-book build book --config _config.yml --path-output _build/links --all --builder linkcheck

test: .venv/ready  ## the fast tests; in CI all but the weekly ones
	$(PYTEST) $(if $(CI),--slow --durations=20)

weekly: book  ## all tests there are, with the book just made
	SRLIB_BOOK=_build/html $(PYTEST) --weekly

lab: in-step  ## JupyterLab on the start notebook
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks/start.ipynb

in-step: .venv/ready  ## of each notebook and its .py, the one that was saved later counts
	@$(BIN)/python book/in_step.py

notebooks: in-step  ## bring each notebook and its .py into step, without outputs
	$(BIN)/jupytext --quiet --update --to ipynb notebooks/*.py
	$(BIN)/jupyter nbconvert --log-level ERROR --clear-output --inplace notebooks/*.ipynb
	@touch notebooks/*.py  # the notebooks were written just now, but are no later edits

scoreboard: .venv/ready  ## refresh the README's table from the records
	PYTHONPATH=book/_ext $(BIN)/python -m pages.ledger README.md

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:  ## remove what `make book` made, but not the environment
	rm -rf _build book/notebooks .snakemake

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11 to 3.13 is wanted: make PYTHON=python3.11")'
	@echo "Making the environment in .venv (a minute or some, once)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt uv
	@$(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[book,dev]' || \
	  $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt --editable '.[book,dev]'
	@touch $@
