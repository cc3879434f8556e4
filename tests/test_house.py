"""The house: pins that agree, documents that are there, modules that stay small and point one way."""

import ast
import importlib
import re
import sys
import tomllib
from functools import reduce

import pytest
import yaml
from importlinter.cli import lint_imports
from test_surfaces import IMPORTS

import srlib
from srlib.records.provenance import ROOT

PINS = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
PINS = {name.lower().replace("_", "-"): version for name, version in PINS.items()}
# The log says what was true on its day.
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "book").glob("*.md"))]
DOCUMENTS.remove(ROOT / "book" / "log.md")


def test_conda_wraps_the_same_pins():
    """environment.yml and constraints.txt name one version of each package."""
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    lines = environment["dependencies"][-1]["pip"]
    assert "-c constraints.txt" in lines
    pinned = dict(line.split("==") for line in lines if "==" in line)
    assert len(pinned) >= 10
    assert {name: PINS[name] for name in pinned} == pinned


def test_every_dependency_is_pinned():
    """What pyproject.toml asks for has an exact version in constraints.txt."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    names = {re.match(r"[\w.-]+", line)[0].lower() for line in wanted}
    assert names <= PINS.keys()
    assert PINS["torch"] == "2.13.0"


def test_this_environment_has_the_pinned_torch_or_a_supported_one():
    """Scores were proven on torch 2.11 to 2.13."""
    import torch

    assert (2, 11) <= tuple(int(n) for n in torch.__version__.split(".")[:2]) <= (2, 13)
    assert sys.version_info >= (3, 11)


def test_versions_agree():
    """Package and citation carry one version."""
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == srlib.__version__


@pytest.mark.parametrize("path", sorted((ROOT / "srlib").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_are_documented_and_short(path):
    """A module docstring, docstrings on what is public and at most 400 lines."""
    text = path.read_text()
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    assert text.count("\n") <= 400
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            nested = any(node in ast.walk(f) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) and f is not node)
            assert nested or ast.get_docstring(node), f"{path.name}: {node.name} has no docstring"


def test_rooms_import_only_from_those_below():
    """The layers of pyproject.toml, held by import-linter."""
    assert lint_imports(str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True) == 0


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_documents_name_files_that_are_there(path):
    """Each path in code marks below a folder of the repository; the page on adding a model may name what it adds."""
    paths = re.findall(r"(?<!})`((?:srlib|book|tests|notebooks|benchmarks|profiles)/[\w./]*)`", path.read_text())
    assert [p for p in paths if not (ROOT / p).exists() and "fsrcnn" not in p] == []


def test_the_walks_name_code_that_is_there():
    """Each stop of CONTRIBUTING.md is a file and names in it."""
    stops = re.findall(r"`(srlib/[\w/]+|book/_ext/[\w/]+)\.py`((?:, `[\w.]+`)+)", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(stops) > 30
    for file, names in stops:
        module = importlib.import_module(file.removeprefix("book/_ext/").replace("/", ".").removesuffix(".__init__"))
        for name in re.findall(r"`([\w.]+)`", names):
            assert reduce(getattr, name.split("."), module), f"{file}: {name}"


def test_the_readme_shows_every_room_and_what_is_imported():
    """The list of folders is that of srlib, from the top of the layers down; the imports are those that are tested."""
    text = (ROOT / "README.md").read_text()
    tree = text[text.index("\nsrlib/ ") : text.index("\nbook/ ")]
    rooms = [name for line in tree.splitlines() for name in re.findall(r"^  (\w+)(?:/|\.py)", line)]
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    assert rooms == [layer for layer in layers if layer not in ("__main__", "errors")]
    assert "files.py, errors.py" in tree
    assert "\n".join(line for line in IMPORTS.splitlines() if line.startswith("from")) in text


def test_the_book_lists_pages_that_exist_and_all_of_them():
    """The table of contents, the pages and the notebooks are one set; `start` is for JupyterLab alone."""
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
    pages = {toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])}
    here = {p.stem for p in (ROOT / "book").glob("*.md")} | {
        f"notebooks/{p.stem}" for p in (ROOT / "notebooks").glob("*.ipynb") if p.stem != "start"
    }
    assert pages == here
    assert set(re.findall(r'"(\w+)"', re.search(r"NOTEBOOKS = (\[[^\]]*\])", (ROOT / "Snakefile").read_text())[1])) == {
        p.removeprefix("notebooks/") for p in pages if p.startswith("notebooks/")
    }
