"""What surrounds the code: make's targets, the forms, the start notebook, the book as one file."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from shared import until

from srlib.protocol import PROTOCOLS
from srlib.records.provenance import ROOT

BIN = Path(sys.executable).parent
FORMS = [path for path in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")) if path.name != "config.yml"]
NUMBER = ROOT / ".github" / "ISSUE_TEMPLATE" / "number.yml"
MAKEFILE = (ROOT / "Makefile").read_text()


def test_every_target_has_a_plan():
    """make's own dry run, with the environment taken as made."""
    targets = re.search(r"\.PHONY: (.*)", MAKEFILE)[1].split()
    assert {"book", "test", "weekly", "lab", "pdf"} <= set(targets)
    done = subprocess.run(
        ["make", "--dry-run", "--assume-old=.venv/ready", *targets], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_book_is_opened_on_a_desktop_alone():
    """make's dry run: in CI, no name of a system is left to choose from; elsewhere its own and the display."""
    for ci, chosen in ("true", 'case "" in'), ("", 'case "$(uname)$DISPLAY'):
        command = ["make", "--dry-run", "--assume-old=.venv/ready", "book", f"CI={ci}"]
        assert chosen in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_progress_is_a_line_for_each_step_and_failure_is_not_hidden(tmp_path):
    """Snakemake itself, filtered as `make book` filters it, on three small rules, one of which may fail."""
    rules = """
rule book:
    input: expand("{name}.txt", name=["first", "second"])
    output: "done"
    shell: "touch {output}"
rule notebook:
    output: "{name}.txt"
    shell: "echo '{wildcards.name}: 0 s'; touch {output}; test '{wildcards.name}' != \\"$FAIL\\""
"""
    (tmp_path / "Snakefile").write_text(rules)
    recipe = re.search(r"^\t@(set -o pipefail; .*)$", MAKEFILE, re.MULTILINE)[1]
    chatter = re.search(r"^CHATTER := (.*)$", MAKEFILE, re.MULTILINE)[1].replace("$$", "$")
    command = recipe.replace("$(BIN)", str(BIN)).replace("$(CORES)", "1").replace("$(CHATTER)", chatter)

    def book(fail: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=os.environ | {"FAIL": fail}, capture_output=True, text=True, check=False
        )

    failed = book("second")
    assert failed.returncode != 0
    assert "returned non-zero exit status" in failed.stdout
    done = book("")
    assert done.returncode == 0
    assert re.findall(r"^(?:\w+: 0 s|\d of \d steps .*)$", done.stdout, re.MULTILINE)[0].endswith(": 0 s")
    assert re.search(r"^(\d) of \1 steps \(100%\) done$", done.stdout, re.MULTILINE)
    again = book("")
    assert again.returncode == 0
    assert "Nothing to be done" in again.stdout


@pytest.mark.parametrize("path", FORMS, ids=lambda p: p.name)
def test_forms_hold_what_github_asks_of_them(path):
    """GitHub's syntax of issue forms: name, description and body; a known type, one id and a label for each field."""
    form = yaml.safe_load(path.read_text())
    assert form["name"]
    assert form["description"]
    assert all(field["type"] in ("markdown", "textarea", "input", "dropdown", "checkboxes") for field in form["body"])
    identifiers = [field["id"] for field in form["body"]]
    assert len(set(identifiers)) == len(identifiers)
    assert all(field["attributes"]["label"] for field in form["body"])


def test_a_number_is_reported_with_protocol_command_and_record():
    """The protocols are those of srlib, and the commands to run are valid."""
    from srlib.__main__ import _parser

    form = {field["id"]: field for field in yaml.safe_load(NUMBER.read_text())["body"]}
    assert {"protocol", "command", "record", "verify", "versions"} <= form.keys()
    assert form["protocol"]["attributes"]["options"][: len(PROTOCOLS)] == list(PROTOCOLS)
    commands = re.findall(r"`python -m srlib (.*?)`", str(form))
    assert commands
    for command in commands:
        _parser().parse_args(shlex.split(command.replace("...", "bicubic")))
    versions = re.search(r"`python (-c '.*?')`", form["versions"]["attributes"]["description"])[1]
    done = subprocess.run([sys.executable, *shlex.split(versions)], capture_output=True, text=True, check=True)
    assert "'torch': " in done.stdout


@pytest.fixture
def lab(tmp_path):
    """JupyterLab, started with `make lab`'s own options on a copy of the start notebook; its address and folder."""
    (tmp_path / "notebooks").mkdir()
    for name in ("notebooks/start.ipynb", "notebooks/start.py", "jupytext.toml"):
        shutil.copy2(ROOT / name, tmp_path / name)
    (tmp_path / "other.md").write_text("# Another file\n")
    options = shlex.split(re.search(r"/jupyter lab (.*)$", MAKEFILE, re.MULTILINE)[1])
    options += ["--no-browser", "--allow-root", "--port=0", "--IdentityProvider.token=word"]
    variables = {name: str(tmp_path / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
    variables["JUPYTERLAB_WORKSPACES_DIR"] = str(tmp_path / "workspaces")
    command, log = [BIN / "jupyter", "lab", *options], tmp_path / "log"
    with (
        log.open("w") as output,
        subprocess.Popen(command, cwd=tmp_path, env=os.environ | variables, stdout=output, stderr=output) as server,
    ):
        try:
            address, *_ = until(lambda: re.findall(r"http://127\.0\.0\.1:\d+/(?=lab)", log.read_text()), "no address")
            yield address, tmp_path
        finally:
            server.kill()  # which ends the kernel, too; asked politely, a server with a page open takes minutes


@pytest.mark.browser
def test_lab_lands_on_the_start_notebook(lab, open_page):
    """JupyterLab shows it, also to whom had another file open the last time; and looking at it writes nothing."""
    address, folder = lab
    before = {path: path.read_bytes() for path in (folder / "notebooks").glob("start.*")}
    page = open_page(f"{address}lab/tree/other.md?token=word")
    page.locator(".lm-TabBar-tab.jp-mod-current", has_text="other.md").wait_for()
    until(lambda: list((folder / "workspaces").glob("*")), "no workspace")
    page.goto(address)
    page.locator(".lm-TabBar-tab.jp-mod-current", has_text="start.ipynb").wait_for()
    page.locator(".jp-NotebookPanel:visible h1", has_text="Start here").wait_for()
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.weekly
@pytest.mark.browser
def test_the_book_is_printed_as_one_file(tmp_path):
    """The bytes of the file: a page at least for each chapter, and the chapters' titles in its outline."""
    if not any((ROOT / "book" / "notebooks").glob("*.ipynb")):
        pytest.skip("the notebooks are not executed: make book")
    command = [sys.executable, ROOT / "book" / "pdf.py", tmp_path / "book.pdf"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    pdf = (tmp_path / "book.pdf").read_bytes()
    chapters = re.findall(r"file: ", (ROOT / "book" / "_toc.yml").read_text())
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) > len(chapters) > 30
