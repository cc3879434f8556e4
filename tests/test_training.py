"""Patches, checkpoints and training: counts, identities, and resuming bit for bit."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from srlib import training
from srlib.checkpoint import load_tensors, save_tensors, write_atomically
from srlib.errors import InputError
from srlib.papers import get_experiment
from srlib.papers.drrn import PUBLISHED
from srlib.patches import DIHEDRAL, make_patches
from srlib.protocol import PROTOCOLS

TINY = get_experiment("drrn_b1u2_w4")


@pytest.fixture
def images(photo):
    return [("cat", photo), ("tac", photo[:, ::-1])]


@pytest.fixture
def train(tmp_path, photo):
    """Train the tiny network on one small photograph, without a progress bar."""
    from PIL import Image

    (tmp_path / "images").mkdir()
    Image.fromarray(photo).save(tmp_path / "images" / "cat.png")

    def run(folder, budget=0.0006, **options):
        options = {"data": str(tmp_path / "images"), "device": "cpu", "progress": False} | options
        return training.train(TINY, tmp_path / folder, budget=budget, **options)

    return run


def test_patches_are_cut_from_whole_interpolated_images(images):
    """Identity: a patch with all turns undone is a crop of the protocol's own images."""
    patches = make_patches(images, (3,), 31, 21)
    hr = PROTOCOLS["drrn"].reference(images[0][1], 3)
    ilr = PROTOCOLS["drrn"].interpolate(PROTOCOLS["drrn"].degrade(images[0][1], 3), 3)
    assert len(patches) == 2 * 6 * 7
    index = patches._index(torch.tensor([8]), torch.tensor([0]))  # second row, second column of the first image
    np.testing.assert_array_equal(patches.hr[index][0], hr[21:52, 21:52])
    np.testing.assert_array_equal(patches.ilr[index][0], ilr[21:52, 21:52].astype(np.float32))


def test_augmentation_is_the_eight_symmetries_of_the_square(images):
    """Witness: numpy's rot90 and fliplr."""
    patches = make_patches(images, (2,), 16, 16)
    which = torch.full((DIHEDRAL,), 5)
    ours = {patches.hr[square].numpy().tobytes() for square in patches._index(which, torch.arange(DIHEDRAL))}
    square = patches.hr[patches._index(which[:1], torch.zeros(1, dtype=int))][0].numpy()
    assert ours == {np.rot90(s, k).tobytes() for k in range(4) for s in (square, np.fliplr(square))}


def test_every_pass_shows_every_patch_once_and_is_a_function_of_the_seed(images):
    """Identity: the sampler has no state."""
    patches = make_patches(images, (3,), 31, 21)
    assert len(patches) == 84
    batches = [patches.batch(k, 28, seed=3)[1] for k in range(3)]
    brightness = torch.cat(batches).mean((1, 2, 3)).sort().values
    everything = patches.hr[patches._index(torch.arange(84), torch.zeros(84, dtype=int))].float().mean((1, 2)) / 255
    torch.testing.assert_close(brightness, everything.sort().values)
    torch.testing.assert_close(patches.batch(1, 28, seed=3)[1], batches[1], rtol=0, atol=0)
    assert not torch.equal(patches.batch(1, 28, seed=4)[1], batches[1])


@pytest.mark.slow
@pytest.mark.parametrize(("stride", "count"), [(21, 1_722_720), (31, 836_648)])
def test_drrns_patch_counts(dataset, stride, count):
    """Arithmetic: 291 images x 8 x 3 scales; the released solver's 6,536 iterations of 128 fit stride 31 (floored to 64)."""
    patches = make_patches(dataset("T291"), (2, 3, 4), 31, stride)
    assert DIHEDRAL * len(patches) == count
    assert 836_648 // 64 * 64 == 6_536 * 128


@pytest.mark.slow
def test_rlcscs_pair_count(dataset):
    """Witness: RL-CSC, Section 5.2, "a total of 1,929,728 LR-HR training pairs". Three flips, four rotations, four sizes, three
    scales of the 291 images in patches of 33 are 1,929,744, and its lineage's script keeps whole batches of 64."""
    pairs = 0
    for _, image in dataset("T291"):
        for size in (1, 0.7, 0.5, 0.4):
            height, width = (int(np.ceil(size * n)) for n in image.shape[:2])
            for scale in (2, 3, 4):
                pairs += 3 * 4 * int(np.prod([(n - n % scale) // 33 for n in (height, width)]))
    assert pairs == 1_929_744
    assert pairs // 64 * 64 == 1_929_728


def test_an_image_smaller_than_a_patch_is_named(images):
    """The sentence names the image and the size."""
    with pytest.raises(InputError, match=r"Training image small .* smaller than one patch of 31"):
        make_patches([("small", images[0][1][:30])], (3,), 31, 21)


def test_the_published_schedule_is_the_papers():
    """Witness: Section 4.2: rate 0.1 halved every 10 epochs; a budget moves the milestones with the end."""
    assert PUBLISHED.rate(0, PUBLISHED.iterations) == 0.1
    assert PUBLISHED.rate(65_359, PUBLISHED.iterations) == 0.1
    assert PUBLISHED.rate(65_360, PUBLISHED.iterations) == 0.05
    tenth = PUBLISHED.iterations // 10
    assert PUBLISHED.rate(6_535, tenth) == 0.1
    assert PUBLISHED.rate(6_537, tenth) == 0.05
    fast = TINY.recipe("fast")
    rates = [fast.rate(k, 1000) for k in range(1000)]
    assert max(rates) == pytest.approx(fast.lr, rel=0.05)
    assert rates.index(max(rates)) == pytest.approx(20, abs=1)
    assert rates[-1] < 1e-5 * fast.lr


def test_training_beats_bicubic_on_its_own_image(train, tmp_path, photo):
    """Behaviour: a hundred small steps lower the error below the interpolation's."""
    from srlib.checkpoint import load_weights
    from srlib.inference import as_method

    info = train("run", budget=0.005)
    model = load_weights(TINY.make(), tmp_path / "run" / "weights.safetensors")
    protocol = PROTOCOLS["drrn"]
    assert protocol.evaluate(photo, 3, as_method(model)).psnr > protocol.evaluate(photo, 3).psnr + 0.02
    assert info["iterations"] == info["iterations_done"] == 100
    assert info["finished"]


@pytest.mark.parametrize("recipe", ["fast", "published"])
def test_a_stopped_run_resumes_bit_for_bit(train, tmp_path, monkeypatch, recipe):
    """Identity: n steps, a stop without warning, m steps equal n + m steps: weights, averages, optimiser, curve."""
    experiment = replace(TINY, recipes=(TINY.recipes[0], replace(PUBLISHED, iterations=20_000, batch=8, halve_every=5_000)))
    monkeypatch.setattr(sys.modules[__name__], "TINY", experiment)
    train("whole", recipe=recipe)
    monkeypatch.setattr(training, "SAVE_EVERY", 0)
    real_step, steps = training.step, iter(range(7))

    def step(*arguments):
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return real_step(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(training, "step", step)
        with pytest.raises(KeyboardInterrupt):
            train("stopped", recipe=recipe)
    train("stopped", recipe=recipe)
    (whole, _), (stopped, metadata) = (
        load_tensors(tmp_path / name / "checkpoint.safetensors") for name in ("whole", "stopped")
    )
    assert metadata["iteration"] == 12
    assert whole.keys() == stopped.keys()
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)
    assert (tmp_path / "whole" / "curve.csv").read_text() == (tmp_path / "stopped" / "curve.csv").read_text()


@pytest.mark.slow
def test_a_killed_process_resumes_bit_for_bit(tmp_path):
    """Identity: SIGKILL at an arbitrary moment, then the same command again, equals a run never killed."""
    program = (
        "import sys; from srlib import training; from srlib.papers import get_experiment; training.SAVE_EVERY = 0;"
        "tiny = get_experiment('drrn_b1u2_w4');"
        "training.train(tiny, sys.argv[1], budget=0.01, data='SampleTrain', device='cpu', progress=False)"
    )
    command = [sys.executable, "-c", program]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([*command, str(tmp_path / "whole")], check=True, env=environment)
    checkpoint = tmp_path / "killed" / "checkpoint.safetensors"
    process = subprocess.Popen([*command, str(tmp_path / "killed")], env=environment)
    while not checkpoint.exists():
        time.sleep(0.01)
    time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = load_tensors(checkpoint)[1]["iteration"]
    assert 0 < done < 200
    subprocess.run([*command, str(tmp_path / "killed")], check=True, env=environment)
    whole, killed = (load_tensors(tmp_path / name / "weights.safetensors")[0] for name in ("whole", "killed"))
    assert all(torch.equal(whole[name], killed[name]) for name in whole)


def test_minutes_end_a_run_cleanly(train, tmp_path):
    """A run that ran out of time says so and goes on later."""
    info = train("run", minutes=0)
    assert not info["finished"]
    assert info["iterations_done"] == 1
    assert train("run")["finished"]


def test_ctrl_c_ends_the_step_saves_and_resumes_bit_for_bit(train, tmp_path, monkeypatch):
    """Identity: interrupted in the middle, then run again, equals never interrupted."""
    train("whole")
    real_step = training.step

    def step(state, *arguments):
        if state.iteration == 5:
            signal.raise_signal(signal.SIGINT)
        return real_step(state, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(training, "step", step)
        with pytest.raises(KeyboardInterrupt, match="stopped at iteration 6 of 12"):
            train("stopped")
    train("stopped")
    whole, stopped = (load_tensors(tmp_path / name / "weights.safetensors")[0] for name in ("whole", "stopped"))
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)


def test_bf16_trains_and_keeps_fp32_weights(train, tmp_path):
    """Behaviour: only convolutions run in half precision."""
    train("run", precision="bf16")
    tensors, _ = load_tensors(tmp_path / "run" / "weights.safetensors")
    assert all(t.dtype == torch.float32 for name, t in tensors.items() if "num_batches" not in name)


def test_another_runs_checkpoint_is_refused(train, tmp_path):
    """The sentence says what differs."""
    train("run")
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


def test_a_diverging_run_stops_with_its_last_good_checkpoint(train, tmp_path, monkeypatch):
    """NaN never reaches a file."""
    monkeypatch.setattr(sys.modules[__name__], "TINY", replace(TINY, recipes=(replace(TINY.recipes[0], lr=1e30, clip=0.0),)))
    with pytest.raises(InputError, match=r"diverged by iteration \d+ \(loss "):
        train("run", budget=0.005)
    assert not (tmp_path / "run" / "weights.safetensors").exists()


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
        ({"data": "T92"}, "'T92' is unknown"),
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

    def fail(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
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
    from safetensors.torch import save_file

    tensors = {"a": torch.arange(6).reshape(2, 3), "b": torch.tensor(0.5)}
    save_tensors(tmp_path / "ours.safetensors", tensors, {"x": [1, 2]})
    loaded, metadata = load_tensors(tmp_path / "ours.safetensors")
    assert all(torch.equal(tensors[name], loaded[name]) for name in tensors)
    assert metadata["x"] == [1, 2]
    save_file(tensors, tmp_path / "foreign.safetensors")
    with pytest.raises(InputError, match="was not written by srlib"):
        load_tensors(tmp_path / "foreign.safetensors")
