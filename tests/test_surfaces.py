"""What a user imports, and that it loads no more than it needs."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from srlib.records.provenance import ROOT

IMPORTS = """
from srlib.models import drrn_b1u9, dsrn_t7_x3, rlcsc_k25, drn_x3, MODELS
from srlib.metrics import psnr, ssim, ifc
from srlib.protocol import PROTOCOLS
from srlib.training import train, Experiment, Recipe
from srlib.inference import super_resolve
from srlib.records import load_model, find_records
from srlib.papers import claims, get_experiment
from srlib.widgets import compare, explore, show_states
assert [drrn_b1u9().depth, dsrn_t7_x3().scale, rlcsc_k25().depth, drn_x3().scale] == [20, 3, 30, 3]
"""
READING = """
from srlib.records import find_records
record = find_records()[0]
record.info, record.scores, record.means
"""
COMPARING = """
import numpy as np
from PIL import Image
from srlib.widgets import compare
names = ("a.png", "b.png")
for value, name in enumerate(names):
    Image.fromarray(np.full((8, 8), value, np.uint8)).save(name)
assert "srlib-compare" in compare(dict(zip(names, names))).html
"""


def loaded(code: str, folder: Path) -> set[str]:
    """The modules that a new process has after some lines of a user."""
    report = "import sys; print(*sys.modules)"
    command = [sys.executable, "-W", "error", "-c", f"{code}\n{report}"]
    return set(subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.split())


def test_what_users_import_is_there(tmp_path):
    """The imports of the README, and the networks that they make."""
    assert "srlib.training.loop" in loaded(IMPORTS, tmp_path)


@pytest.mark.parametrize(("code", "most"), [(READING, 32), (COMPARING, 10)])
def test_reading_and_comparing_load_no_trainer(code, most, tmp_path):
    """Counted: modules of srlib; none of them trains."""
    modules = {name for name in loaded(code, tmp_path) if name.startswith("srlib")}
    assert not modules & {"srlib.training.loop", "srlib.training.step", "srlib.training.state", "srlib.training.patches"}
    assert len(modules) <= most, sorted(modules)


@pytest.mark.parametrize("room", sorted(path.parent.name for path in (ROOT / "srlib").glob("*/__init__.py")))
def test_every_name_of_a_surface_is_there(room):
    """Identity: what a room says it offers can be had from it."""
    module = importlib.import_module(f"srlib.{room}")
    assert all(hasattr(module, name) for name in getattr(module, "__all__", ()))
