"""Notebooks: pairs in step, parameters checked, each runs at smoke budget."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from srlib.errors import InputError
from srlib.figures.parameters import check_parameters
from srlib.papers import get_experiment
from srlib.records.provenance import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
BIN = Path(sys.executable).parent
TRAIN = ["-p", "train", "True", "-p", "budget", "0.0005", "-p", "data", "SampleTrain"]
SMOKE = {
    "bicubic": ["-p", "datasets", "Sample"],
    "recurrence": ["-p", "T", "2"],
    "rlcsc_sparse_coding": ["-p", "budget", "0.02", "-p", "K", "1,2"],
    "drrn_structure": ["-p", "B", "2", "-p", "U", "1"],
    "rlcsc_structure": ["-p", "K", "2", "-p", "unfolded", "2"],
    "drn_structure": ["-p", "G", "1", "-p", "K", "1"],
    "drrn_BU_grid": [*TRAIN, "-p", "B", "1", "-p", "U", "1"],
    "drrn_tables": [*TRAIN, "-p", "experiments", "drrn_b1u3_w16"],
    "drrn_ablation": [*TRAIN, "-p", "experiments", "drrn_ns_b3u2_w16,drrn_c_b3u2_w16"],
    "dsrn_tables": [*TRAIN, "-p", "experiments", "dsrn_t7_x3_w8"],
    "dsrn_unroll": [*TRAIN, "-p", "experiments", "dsrn_t1_x2_w16,dsrn_t2_x2_w16"],
    "dsrn_ablation": [*TRAIN, "-p", "experiments", "dsrn_div2k_single_state_x2_w16"],
    "rlcsc_tables": [*TRAIN, "-p", "experiments", "rlcsc_k15_m128_w8"],
    "rlcsc_recursion": [*TRAIN, "-p", "experiments", "rlcsc_k15_m128_w8"],
    "rlcsc_residual_memory": [*TRAIN, "-p", "experiments", "rlcsc_k25_no_residual_w8"],
    "drn_tables": [*TRAIN, "-p", "experiments", "drn_x3_w16"],
    "drn_ablation": [*TRAIN, "-p", "experiments", "drn_plain_x3_w16,drn_mse_x3_w16"],
}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_pairs_are_in_step(path):
    """Identity: the notebook's cells are those of its .py: kind, source, tags and figure metadata; and it holds no output."""
    jupytext = pytest.importorskip("jupytext")
    script, notebook = jupytext.read(path), jupytext.read(path.with_suffix(".ipynb"))

    def cells(book):
        keep = ("tags", "mystnb")
        return [(c.cell_type, c.source, {k: c.metadata[k] for k in keep if k in c.metadata}) for c in book.cells]

    assert cells(script) == cells(notebook)
    assert all(not c.get("outputs") for c in notebook.cells)


@pytest.fixture
def pairs(tmp_path):
    """A folder with copies of the files of two notebooks, saved an hour ago."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "book").mkdir()
    for name in ("jupytext.toml", "book/in_step.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    for path in NOTEBOOKS[:2]:
        for suffix in (".py", ".ipynb"):
            shutil.copy(path.with_suffix(suffix), tmp_path / "notebooks")
            saved(tmp_path / "notebooks" / path.with_suffix(suffix).name, 60)
    return tmp_path / "notebooks"


def saved(path: Path, minutes_ago: float) -> None:
    """Set when a file was saved."""
    os.utime(path, (time.time() - 60 * minutes_ago,) * 2)


def edit(path: Path, word: str, minutes_ago: float) -> None:
    """Put a word into the title, as an editor that knows of no pair does."""
    mark = "# # " if path.suffix == ".py" else '"# '
    path.write_text(path.read_text().replace(mark, f"{mark}{word} ", 1))
    saved(path, minutes_ago)


def make(folder: Path, target: str) -> None:
    """`make TARGET` in the folder above."""
    options = ["-C", folder.parent, "-f", ROOT / "Makefile", "-o", ".venv/ready", f"BIN={BIN}"]
    subprocess.run(["make", *options, target], check=True, capture_output=True)


def opened(path: Path, edit: str = "") -> str:
    """The text of a notebook as JupyterLab opens it, and saves it with a further line; it refuses with an HTTPError."""
    manager = pytest.importorskip("jupytext.sync_contentsmanager").TextFileContentsManager()
    manager.root_dir, name = str(path.parents[1]), f"notebooks/{path.name}"
    model = manager.get(name)
    if edit:
        model["content"].cells[-1].source += f"\n# {edit}"
        manager.save(model, name)
    return "".join(cell.source for cell in model["content"].cells)


@pytest.mark.parametrize("target", ["in-step", pytest.param("notebooks", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("edited", "ages"), [(".py", (5, 30)), (".py", (0, 0.1)), (".ipynb", (30, 5)), (".ipynb", (60, 0))])
def test_jupyterlab_opens_what_was_saved_last(pairs, target, edited, ages):
    """Behaviour: after an edit of one file in any editor `make` brings the pair into step; then JupyterLab and others edit."""
    first, second = (pairs / path.name for path in NOTEBOOKS[:2])
    notebook = first.with_suffix(".ipynb")
    for path, age in zip((first, notebook), ages, strict=True):
        saved(path, age)
    path, replaced = (first, notebook) if edited == ".py" else (notebook, first)
    edit(path, "QUOKKA", ages[edited == ".ipynb"])
    make(pairs, target)
    assert "QUOKKA" in opened(first)
    assert "QUOKKA" in opened(notebook)
    assert "QUOKKA" not in opened(second)
    assert "QUOKKA" not in (pairs.parent / "_build" / "notebooks" / replaced.name).read_text()
    opened(notebook, "WOMBAT")
    edit(first, "NUMBAT", 0)
    make(pairs, "in-step")
    assert all(word in opened(notebook) for word in ("QUOKKA", "WOMBAT", "NUMBAT"))


@pytest.mark.slow
def test_pairs_in_step_stay_as_they_are(pairs):
    """Identity: `make notebooks` writes the very bytes that are there, and no notebook is later than its .py."""
    before = {path: path.read_bytes() for path in pairs.iterdir()}
    for path in pairs.glob("*.py"):  # as a clone may have them
        saved(path, 61)
    make(pairs, "in-step")
    assert {path: path.read_bytes() for path in pairs.iterdir()} == before
    for path in pairs.glob("*.ipynb"):
        assert opened(path)
        saved(path, 61)
    for _ in range(2):
        make(pairs, "notebooks")
        assert {path: path.read_bytes() for path in pairs.iterdir()} == before
        assert all(path.stat().st_mtime_ns >= path.with_suffix(".ipynb").stat().st_mtime_ns for path in pairs.glob("*.py"))
        assert all(map(opened, before))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_uses_its_parameters_and_explains_them(path):
    """papermill's own view of the parameters cell: name, type and help for each; each is used in a later cell."""
    papermill = pytest.importorskip("papermill")
    jupytext = pytest.importorskip("jupytext")
    parameters = papermill.inspect_notebook(str(path.with_suffix(".ipynb")))
    assert all(p["help"] and p["inferred_type_name"] != "None" for p in parameters.values())
    cells = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    code = "\n".join(cell.source for cell in cells if "parameters" not in cell.metadata.get("tags", ()))
    assert set(parameters) <= {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_shows_its_code(path):
    """Folded are parameters, their check, and captions; a cell that is shown is short, imports apart."""
    jupytext = pytest.importorskip("jupytext")
    for cell in (cell for cell in jupytext.read(path).cells if cell.cell_type == "code"):
        tags = cell.metadata.get("tags", [])
        if "hide-input" in tags:
            assert "parameters" in tags or re.search("check_parameters|^FIGURES = ", cell.source, re.MULTILINE)
        elif "import " not in cell.source:
            assert len(cell.source.splitlines()) <= 30


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_what_a_notebook_trains_unless_told_otherwise_exists(path):
    """Identity: the experiments in its parameters cell."""
    papermill = pytest.importorskip("papermill")
    parameters = papermill.inspect_notebook(str(path.with_suffix(".ipynb")))
    for name in ast.literal_eval(parameters["experiments"]["default"]) if "experiments" in parameters else ():
        assert get_experiment(name).make()


def space(injected: str = "", **values):
    """A notebook's globals after papermill has injected a cell."""
    namespace = {"__annotations__": {"train": bool, "budget": float, "B": list[int], "data": str}}
    namespace |= {"train": False, "budget": 1.0, "B": [1, 2], "data": "", "In": ["", injected]}
    return namespace | values


def test_a_misspelt_parameter_is_refused():
    """papermill would run the defaults."""
    with pytest.raises(InputError, match="'trian' is unknown to this notebook: did you mean 'train'"):
        check_parameters(space("# Parameters\ntrian = True\n", trian=True))
    check_parameters(space("# Parameters\ntrain = True\n", train=True))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"train": "yes"}, "bool"),
        ({"budget": "lots"}, "float"),
        ({"B": "1,x"}, "int"),
        ({"B": [1.5]}, "int"),
        ({"data": 3}, "str"),
    ],
)
def test_a_wrong_type_is_refused(values, said):
    """The sentence names parameter, value and wanted type."""
    with pytest.raises(InputError, match=rf"'{next(iter(values))}' is .*a value of type {said} is wanted"):
        check_parameters(space(**values))


def test_text_becomes_the_declared_list():
    """papermill's -p passes scalars only."""
    for given, wanted in (("1,3", [1, 3]), ("[2]", [2]), (4, [4]), ([5, 6], [5, 6])):
        namespace = space(B=given, budget=1)
        check_parameters(namespace)
        assert namespace["B"] == wanted
        assert isinstance(namespace["budget"], float)


def in_the_book(path: Path) -> bool:
    """Whether the book that the tests look at executed the notebook as it is now."""
    executed = ROOT / "book" / "notebooks" / f"{path.stem}.ipynb"
    newer = executed.exists() and executed.stat().st_mtime > path.with_suffix(".ipynb").stat().st_mtime
    return newer and "SRLIB_BOOK" in os.environ


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[pytest.mark.weekly] * in_the_book(path)) for path in NOTEBOOKS],
    ids=lambda p: p.stem,
)
def test_each_notebook_runs_at_smoke_budget(path, tmp_path):
    """As a user runs it, with papermill, with stand-in data."""
    options = SMOKE.get(path.stem, [])
    runs = ["-p", "runs", str(tmp_path / "runs")] if "train" in options else []
    command = [BIN / "papermill", path.with_suffix(".ipynb"), tmp_path / "out.ipynb", *options, *runs]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
def test_papermill_stops_at_a_typo(tmp_path):
    """One sentence at the end, and a status that is not 0."""
    notebook = ROOT / "notebooks" / "drrn_BU_grid.ipynb"
    command = [BIN / "papermill", notebook, tmp_path / "out.ipynb", "-p", "trian", "True"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode != 0
    assert "Parameter 'trian' is unknown to this notebook: did you mean 'train'?" in done.stderr


def documented(program: str) -> list[list[str]]:
    """The commands of README and book that begin with `program`."""
    text = "".join(p.read_text() for p in (ROOT / "README.md", *sorted((ROOT / "book").glob("*.md"))))
    lines = re.findall(r"^(?:\.venv/bin/)?" + re.escape(program) + r" +([^#\n]*)", text, flags=re.MULTILINE)
    return [shlex.split(line) for line in dict.fromkeys(lines)]


def test_documented_commands_parse():
    """Every `python -m srlib` line of README and book is valid usage."""
    from srlib.__main__ import _parser

    commands = documented("python -m srlib")
    assert len(commands) >= 8
    for command in commands:
        _parser().parse_args(command)


def test_documented_papermill_commands_name_real_parameters():
    """Every `papermill` line names a notebook of ours and parameters that it has."""
    papermill = pytest.importorskip("papermill")
    commands = [c for c in documented("papermill") if c[0] != "--help-notebook"]
    assert commands
    for notebook, _, *options in commands:
        known = papermill.inspect_notebook(str(ROOT / notebook))
        assert set(options[1::3]) <= set(known)
        assert set(options[0::3]) <= {"-p"}
