"""The training loop: schedule, resuming bit for bit, stopping, damage, bad options."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from unittest.mock import Mock, patch

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from srlib.datasets import open_images
from srlib.errors import InputError
from srlib.files import lock, write_atomically
from srlib.inference.enlarge import as_method
from srlib.papers import get_experiment
from srlib.papers.drrn import PUBLISHED
from srlib.protocol import PROTOCOLS
from srlib.training import loop as training
from srlib.training.checkpoint import load_tensors, load_weights, save_tensors
from srlib.training.step import Step
from srlib.training.validation import VALIDATION, validation_images, without_validation

TINY = get_experiment("drrn_b1u2_w4")


@pytest.fixture
def train(tmp_path, photo, monkeypatch):
    """Train the tiny network on one small photograph, without a progress bar."""
    monkeypatch.setattr(training, "VALIDATIONS", 3)
    (tmp_path / "images").mkdir()
    Image.fromarray(photo).save(tmp_path / "images" / "cat.png")

    def run(folder, budget=0.0006, experiment=TINY, **options):
        options = {"data": str(tmp_path / "images"), "device": "cpu", "progress": False} | options
        return training.train(experiment, tmp_path / folder, budget=budget, **options)

    return run


def ending(folder):
    """The bits that a run ended in, as digests: weights, averages, statistics, optimisers; what is kept; the curve."""
    digests = [load_tensors(folder / f"{name}.safetensors")[1]["sha256"] for name in ("checkpoint", "weights")]
    return digests, (folder / "curve.csv").read_text()


@contextmanager
def before_iteration(iteration, action):
    """Let something happen before an iteration, counted from 0."""
    real_step = Step.__call__

    def step(self):
        if self.state.iteration == iteration:
            action()
        return real_step(self)

    with patch.object(Step, "__call__", step):
        yield


def test_a_budget_moves_the_milestones_with_the_end():
    """Arithmetic: a run of a tenth halves DRRN's rate after a tenth of 65,360; our schedule warms up, then falls to zero."""
    assert [PUBLISHED.lr_at(k, PUBLISHED.iterations // 10) for k in (6_535, 6_537)] == [0.1, 0.05]
    fast = TINY.recipe("fast")
    rates = [fast.lr_at(k, 1000) for k in range(1000)]
    assert max(rates) == pytest.approx(fast.lr, rel=0.05)
    assert rates.index(max(rates)) == pytest.approx(20, abs=1)
    assert rates[-1] < 1e-5 * fast.lr


def test_training_beats_bicubic_on_its_own_image(train, tmp_path, photo):
    """Behaviour: a hundred small steps lower the error below the interpolation's."""
    info = train("run", budget=0.005)
    model = load_weights(TINY.make(), tmp_path / "run" / "weights.safetensors")
    protocol = PROTOCOLS["drrn"]
    assert protocol.evaluate(photo, 3, as_method(model)).psnr > protocol.evaluate(photo, 3).psnr + 0.02
    assert info["iterations"] == info["iterations_done"] == 100
    assert info["finished"]


SLOW = ("drrn_b1u2_w4 fast bf16", "drrn_b1u2_w4 first fp32", "drcn fast fp32", "dsrn_t3_x3_w32 fast bf16",
        "rlcsc_k5_n32_m32 fast fp32", "drn_x3_c32_g2_k3 fast fp32")  # fmt: skip


@pytest.mark.parametrize(
    "run",
    ["drrn_b1u2_w4 fast fp32", "drrn_b1u2_w4 published fp32", *(pytest.param(run, marks=pytest.mark.slow) for run in SLOW)],
)
def test_a_stopped_run_resumes_bit_for_bit(train, tmp_path, monkeypatch, run):
    """Identity: n steps, a stop without warning, m steps equal n + m: weights, averages, Muon's and Adam's state, curve."""
    name, recipe, precision = run.split()
    experiment = get_experiment(name)
    small = {"drcn": {"T": 2, "width": 4}, "dsrn": {"scale": 3, "T": 2, "width": 4}, "rlcsc": {"K": 2, "n": 4, "m": 4}}
    own = [replace(r, batch=2, iterations=12) for r in experiment.recipes if r.name != "published"]
    own.append(replace(PUBLISHED, iterations=12, batch=2, decay_every=5, scales=(3,)))
    arguments = small.get(experiment.model, experiment.arguments)
    experiment = replace(experiment, arguments=arguments, recipes=tuple(own))
    options = {"recipe": recipe, "precision": precision, "experiment": experiment, "budget": 1.0}
    train("whole", **options)
    monkeypatch.setattr(training, "SAVE_EVERY", 0)
    with before_iteration(7, Mock(side_effect=KeyboardInterrupt("killed"))), pytest.raises(KeyboardInterrupt, match="killed"):
        train("stopped", **options)
    assert 0 < load_tensors(tmp_path / "stopped" / "checkpoint.safetensors")[1]["iteration"] <= 7
    assert train("stopped", **options)["iterations_done"] == 12
    assert ending(tmp_path / "stopped") == ending(tmp_path / "whole")


def test_ctrl_c_ends_the_step_saves_and_resumes_bit_for_bit(train, tmp_path):
    """Identity: interrupted in the middle, then run again, equals never interrupted."""
    train("whole")
    interrupt = partial(signal.raise_signal, signal.SIGINT)
    with before_iteration(5, interrupt), pytest.raises(KeyboardInterrupt, match="stopped at iteration 6 of 12"):
        train("stopped")
    train("stopped")
    assert ending(tmp_path / "stopped") == ending(tmp_path / "whole")


@pytest.mark.slow
def test_a_killed_process_resumes_bit_for_bit(tmp_path):
    """Identity: SIGKILL at three random moments, each followed by the same command, equals a run never killed."""
    program = (
        "import sys; from srlib.papers import get_experiment; from srlib.training import loop; loop.SAVE_EVERY = 0;"
        "tiny = get_experiment('drrn_b1u2_w4');"
        "loop.train(tiny, sys.argv[1], budget=0.02, data='SampleTrain', device='cpu', progress=False)"
    )
    command = [sys.executable, "-c", program]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([*command, str(tmp_path / "whole")], check=True, env=environment)
    checkpoint, done = tmp_path / "killed" / "checkpoint.safetensors", [0]
    for _ in range(3):
        process = subprocess.Popen([*command, str(tmp_path / "killed")], env=environment)
        while not checkpoint.exists() or load_tensors(checkpoint)[1]["iteration"] == done[-1]:
            time.sleep(0.01)
            assert process.poll() is None
        time.sleep(random.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        done.append(load_tensors(checkpoint)[1]["iteration"])
    assert 0 < done[1] <= done[2] <= done[3] < 400
    subprocess.run([*command, str(tmp_path / "killed")], check=True, env=environment)
    assert ending(tmp_path / "killed") == ending(tmp_path / "whole")


def test_minutes_end_a_run_cleanly(train):
    """A run that ran out of time says so and goes on later; both sessions are told."""
    info = train("run", minutes=0)
    assert not info["finished"]
    assert info["iterations_done"] == 1
    info = train("run")
    assert info["finished"]
    assert [session["iteration"] for session in info["sessions"]] == [1, 12]


def test_minutes_are_kept(train):
    """Behaviour: a run of hours given three seconds ends with them, validation and saving included, even on a busy machine."""
    train("warm", budget=0.0001)
    began = time.monotonic()
    assert not train("run", budget=100, minutes=0.05)["finished"]
    assert 1.5 < time.monotonic() - began < 30


def test_what_a_finished_run_leaves_is_its_own(train, tmp_path):
    """Convolutions of the kept weights are fp16, the checkpoint is fp32; given again it stays; another seed is refused."""
    first = train("run", precision="bf16")
    kept, whole = (load_tensors(tmp_path / "run" / f"{name}.safetensors")[0] for name in ("weights", "checkpoint"))
    assert {t.dtype for t in kept.values() if t.dim() > 1} == {torch.float16}
    assert all(t.dtype == torch.float32 for name, t in whole.items() if "num_batches" not in name)
    again = train("run")  # in the precision of the checkpoint
    assert (again["weights_sha256"], again["precision"]) == (first["weights_sha256"], "bf16")
    with pytest.raises(InputError, match=r"belongs to another run \(seed was 0, now 1\)"):
        train("run", seed=1)


@pytest.mark.parametrize("damage", ["torn", "flipped"])
def test_a_damaged_checkpoint_is_named_and_never_used(train, tmp_path, damage):
    """Half a file, and one flipped bit in the tensors."""
    train("run")
    path = tmp_path / "run" / "checkpoint.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content if damage == "flipped" else content[: len(content) // 2])
    with pytest.raises(InputError, match=r"checkpoint.safetensors is damaged"):
        train("run")


def test_validation_images_are_in_no_training_set(dataset):
    """Behaviour: the stand-in for DIV2K has the pool's set among its parts, but not the pool."""
    whole = dataset("T91+BSDS200+BSDS500_test")
    trained = without_validation(whole)
    assert len(whole) - len(trained) == len(validation_images()) == 10
    assert not set(validation_images().paths) & set(trained.paths)
    assert without_validation(open_images("T91")).digest() == open_images("T91").digest()
    assert validation_images().name == VALIDATION


def test_a_second_training_in_a_folder_is_refused(train, tmp_path):
    """In one sentence; and when the first has ended, the next may."""
    with (
        lock(tmp_path / "run"),
        pytest.raises(InputError, match="in use by another process, which trains or scores: wait for it"),
    ):
        train("run")
    assert train("run")["finished"]


def test_a_run_that_fits_is_whole_and_goes_on_as_long(train, monkeypatch):
    """Behaviour: iterations follow from the measured speed and are fixed; a stopped run keeps them and ends annealed."""
    monkeypatch.setattr(training, "TRIAL", 0.3)
    tiny = replace(TINY, recipes=(replace(TINY.recipes[0], batch=2),))
    options = {"budget": 1.0, "experiment": tiny}
    began = time.monotonic()
    info = train("run", fit=1, minutes=0.02, **options)
    assert not info["finished"]
    assert info["fit"] == 1
    assert 20 < info["iterations"] < 1_000_000
    monkeypatch.setattr(training, "TRIAL", 1000.0)  # measured no more
    with pytest.raises(InputError, match="belongs to another run"):
        train("run", fit=2, minutes=0, **options)
    again = train("run", fit=1, minutes=0, **options)
    assert again["iterations"] == info["iterations"]
    assert again["budget"] == pytest.approx(info["iterations"] / tiny.recipe("fast").iterations)
    assert time.monotonic() - began < 30


def test_weights_are_kept_where_asked_and_change_nothing(train, tmp_path):
    """Identity: the run with kept weights ends in the bits of the one without; what is kept is that run's average then."""
    train("plain")
    assert train("run", keep=(5, 12))["kept"] == {"iteration5": 5, "iteration12": 12}
    assert ending(tmp_path / "run") == ending(tmp_path / "plain")
    names = ("weights", "weights_iteration12", "weights_iteration5")
    whole, last, fifth = (load_tensors(tmp_path / "run" / f"{name}.safetensors")[1]["sha256"] for name in names)
    assert last == whole != fifth
    with pytest.raises(InputError, match="is at iteration 12, past iteration3: what is not kept then is lost"):
        train("run", keep=(3,))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_training_leaves_the_allocator_of_a_process_alone(tmp_path):
    """In a fresh process: what a block of 4 MiB costs in page faults is the same before and after a training."""
    code = f"""
import resource, torch
from srlib.training import loop as training
from srlib.papers import get_experiment

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

before = min(faults() for _ in range(4))
training.train(get_experiment("drrn_b1u2_w4"), {str(tmp_path / "run")!r}, budget=0.0005, data="SampleTrain", device="cpu")
print(before, min(faults() for _ in range(4)))
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert int(out[1]) <= int(out[0]) + 200


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"budget": 0}, "budget 0 is not above 0"),
        ({"budget": float("inf")}, "budget inf is not"),
        ({"seed": -1}, "seed -1 is out of range"),
        ({"minutes": float("nan")}, "minutes nan is not a span"),
        ({"recipe": "best"}, "no recipe 'best': choose one of fast"),
        ({"device": "tpu"}, "device 'tpu' is unknown"),
        ({"precision": "int8"}, "precision 'int8' is unknown"),
        ({"fit": 0.5}, "fit 0.5 is too short: half a minute goes into measuring the speed; give 1 minute or more"),
        ({"fit": float("nan")}, "fit nan is too short"),
        ({"fit": 2}, "fit chooses the budget, and 0.0006 was given, too"),
        ({"keep": (13,)}, "iteration 13 cannot be kept: the run has iterations 1 to 12"),
        ({"keep": (36,), "experiment": get_experiment("rlcsc_k15_w4")}, "epoch 36 cannot be kept: the run has epochs 1 to 35"),
        ({"data": "T92"}, "'T92' is neither a dataset nor a folder that exists"),
    ],
)
def test_bad_options_get_one_sentence(train, tmp_path, options, said):
    """And nothing is written."""
    with pytest.raises(InputError, match=said):
        train("run", **options)
    assert not (tmp_path / "run").exists()


def test_files_are_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    """A failure while writing leaves the old file and no temporary one."""
    path = tmp_path / "file"
    write_atomically(path, "old")
    monkeypatch.setattr(os, "fsync", Mock(side_effect=OSError("disk full")))
    with pytest.raises(InputError, match=r"file cannot be written \(disk full\)"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_links_are_followed_and_devices_refused(tmp_path):
    """A link keeps leading to its file, and /dev/null stays what it is."""
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_atomically(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"
    with pytest.raises(InputError, match="/dev/null is not a file"):
        write_atomically("/dev/null", "new")


def test_tensors_survive_and_foreign_files_are_refused(tmp_path):
    """Identity, and a safetensors file that is not ours."""
    tensors = {"a": torch.arange(6).reshape(2, 3), "b": torch.tensor(0.5)}
    save_tensors(tmp_path / "ours.safetensors", tensors, {"x": [1, 2]})
    loaded, metadata = load_tensors(tmp_path / "ours.safetensors")
    assert all(torch.equal(tensors[name], loaded[name]) for name in tensors)
    assert metadata["x"] == [1, 2]
    save_file(tensors, tmp_path / "foreign.safetensors")
    with pytest.raises(InputError, match="was not written by srlib"):
        load_tensors(tmp_path / "foreign.safetensors")


def test_a_file_that_is_being_replaced_is_read_whole(tmp_path):
    """Identity: while another process writes new versions as fast as it can, each reading is one of them."""
    path = tmp_path / "busy.safetensors"
    program = f"""
import itertools, os, torch
from srlib.training.checkpoint import save_tensors
os.fsync = lambda file: None
for k in itertools.count():
    save_tensors({str(path)!r}, {{"a": torch.full((9,), k)}}, {{"number": k}})
"""
    with subprocess.Popen([sys.executable, "-c", program]) as writer:
        try:
            while not path.exists():
                assert writer.poll() is None
            read = []
            while len(read) < 5000 or len(set(read)) <= 100:
                assert writer.poll() is None
                tensors, metadata = load_tensors(path)
                read.append(metadata["number"])
                assert tensors["a"].tolist() == 9 * [read[-1]]
        finally:
            writer.kill()
    assert read == sorted(read)
