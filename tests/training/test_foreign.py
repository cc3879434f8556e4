"""Weights are read from files of all kinds, no code in them is run, and what is no weights is refused in a sentence."""

import io
import os
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from srlib.errors import InputError
from srlib.models import VDSR
from srlib.papers import get_experiment
from srlib.training.checkpoint import load_weights, save_tensors
from srlib.training.foreign import TORCH, read_tensors

DRRN = "drrn_b1u3_w8"


def state_of_drrn():
    """Weights, as they are drawn at the start."""
    return get_experiment(DRRN).make().state_dict()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        lambda s: {"params": {k: 0 * t for k, t in s.items()}, "params_ema": s},
        lambda s: {"epoch": 3, "lr": 1e-4, "state_dict": {f"module.{k}": t for k, t in s.items()}, "optimizer": {"state": {}}},
        lambda s: {"model": {"net": {"module." + k.replace("s.0.", "s.0._orig_mod."): t for k, t in s.items()}}},
        lambda s: {"params": {"lr": 0.1}, "anything": {f"model.deep.{k}": nn.Parameter(t, False) for k, t in s.items()}},
        lambda s: {k: t.double() if t.is_floating_point() else t for k, t in s.items()} | {"iteration": torch.tensor(7)},
        lambda s: {k: t for k, t in s.items() if not k.endswith("num_batches_tracked")},
        lambda s: s | {"blocks.0.conv_9.weight": s["blocks.0.conv_1.weight"].clone()},
    ],
    ids=["plain", "ema", "DataParallel", "compiled", "one entry", "double", "no counts", "tied"],
)
@pytest.mark.parametrize("suffix", TORCH[:2])
def test_weights_are_found_in_a_checkpoint(wrap, suffix, tmp_path):
    """Witness: the tensors that were put in."""
    state = state_of_drrn()
    torch.save(wrap(state), tmp_path / f"w{suffix}")
    loaded = load_weights(get_experiment(DRRN).make(), tmp_path / f"w{suffix}", DRRN).state_dict()
    assert all(torch.equal(loaded[key], tensor) for key, tensor in state.items())


def test_half_precision_becomes_single(tmp_path):
    """To the value that half precision holds."""
    for name, dtype in (("half", torch.float16), ("brain", torch.bfloat16)):
        torch.save({"a.weight": torch.full((2, 2), 0.1, dtype=dtype), "b.weight": torch.ones(3)}, tmp_path / f"{name}.pth")
        tensor = read_tensors(tmp_path / f"{name}.pth")["a.weight"]
        assert tensor.dtype == torch.float32
        assert tensor[0, 0] == torch.tensor(0.1, dtype=dtype).item()


class Evil:
    """Makes the folder `ran` when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("ran",)


def saved(what):
    """The content of a file of torch.save."""
    file = io.BytesIO()
    torch.save(what, file)
    return file.getvalue()


def arrays(**what):
    """The content of an .npz file."""
    file = io.BytesIO()
    np.savez(file, **what)
    return file.getvalue()


def one_array():
    """The content of an .npy file."""
    file = io.BytesIO()
    np.save(file, np.ones(3))
    return file.getvalue()


def cyclic():
    """A checkpoint that contains itself."""
    checkpoint = {"epoch": 1}
    checkpoint["model"] = checkpoint["params"] = checkpoint
    return checkpoint


OBJECTS = r"holds pickled objects \(\S+\), which may run code and are not opened: save torch.save\(model.state_dict\(\)"
# The name of a file to a function that makes its content, and what is said of it.
BAD = {
    "evil.pth": (lambda: saved({"params": state_of_drrn(), "x": Evil()}), r"holds pickled objects \(posix.mkdir\)"),
    "pickle.pt": (lambda: pickle.dumps({"x": Evil()}, protocol=2), OBJECTS),
    "whole.pth": (lambda: saved({"epoch": 50, "model": VDSR(3, 4)}), r"holds pickled objects \(srlib.models.vdsr.VDSR\)"),
    "best.pth": (lambda: saved({"best": np.float64(3), "params": state_of_drrn()}), OBJECTS),
    "short.pth": (lambda: saved(state_of_drrn())[:-2000], "is damaged, or was not written by torch.save"),
    "half.pt": (lambda: saved(state_of_drrn())[:9000], "is damaged, or was not"),
    "text.pth": (lambda: b"version https://git-lfs.github.com/spec/v1\n", "is damaged, or was not"),
    "html.bin": (lambda: b"<!DOCTYPE html>", "is damaged, or was not"),
    "list.pth": (lambda: saved([torch.ones(3)]), "holds no tensors of one network by name"),
    "ints.pth": (lambda: saved({"a.weight": torch.ones(3, dtype=torch.int8)}), "holds no tensors of one network by name"),
    "meta.pth": (lambda: saved({"a.weight": torch.ones(3, device="meta")}), "holds no tensors of one network by name"),
    "sparse.pth": (lambda: saved({"a.weight": torch.eye(3).to_sparse()}), "holds no tensors of one network by name"),
    "itself.pth": (lambda: saved(cyclic()), "holds no tensors of one network by name"),
    "gan.pth": (lambda: saved({"a": state_of_drrn(), "b": state_of_drrn()}), "holds no tensors of one network by name"),
    "empty.pth": (lambda: b"", "is empty"),
    "one.npz": (one_array, "holds no tensors of one network by name"),
    "escape.pth": (lambda: saved({"\x1b[31m.weight": torch.ones(3)}), "holds no tensors of one network by name"),
    "empty.npz": (lambda: b"", "is empty"),
    "objects.npz": (lambda: arrays(x=np.array([{}], object)), "cannot be read as .npz .*allow_pickle"),
    "words.npz": (lambda: arrays(x=np.array(["a"])), "holds no tensors of one network by name"),
    "torn.safetensors": (lambda: b"\x09\x00\x00\x00\x00\x00\x00\x00{}", "cannot be read as .safetensors"),
    "w.h5": (lambda: saved({}), "is of no known kind: give a .safetensors, .npz or .pth, .pt file"),
    "nan.pth": (lambda: saved({k: t * float("nan") for k, t in state_of_drrn().items()}), "NaN or infinite"),
    "wide.npz": (lambda: arrays(**{k: t.double().numpy() * 1e300 for k, t in state_of_drrn().items()}), "NaN or infinite"),
    "shape.pth": (
        lambda: saved(state_of_drrn() | {"norm.bias": torch.ones(9)}),
        r"1 tensors differ, the first is norm.bias \(file: ",
    ),
    "names.pth": (
        lambda: saved({f"a{k}": t for k, t in state_of_drrn().items()}),
        "convert it with `python -m srlib import-weights`",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_weights_is_refused_in_a_sentence(name, tmp_path, monkeypatch, recwarn):
    """And no code in it is run."""
    monkeypatch.chdir(tmp_path)
    content, said = BAD[name]
    (tmp_path / name).write_bytes(content())
    with pytest.raises(InputError, match=said) as error:
        load_weights(get_experiment(DRRN).make(), tmp_path / name, DRRN)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists()
    assert not list(recwarn)


def test_the_hostile_pickle_would_run(tmp_path, monkeypatch):
    """Read as a pickle it makes the folder: so the test before can fail."""
    monkeypatch.chdir(tmp_path)
    torch.load(io.BytesIO(BAD["evil.pth"][0]()), weights_only=False)
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("suffix", [*TORCH, ".npz", ".safetensors", ".h5", ""])
def test_a_missing_file_does_not_exist_whatever_its_suffix(suffix, tmp_path):
    """The first thing to say of it."""
    with pytest.raises(InputError, match="does not exist"):
        load_weights(VDSR(3, 4), tmp_path / f"none{suffix}")
    (tmp_path / "folder.pth").mkdir()
    with pytest.raises(InputError, match=r"folder\.pth is not a file"):
        load_weights(VDSR(3, 4), tmp_path / "folder.pth")


def test_anybodys_safetensors_are_read_and_ours_are_checked(tmp_path):
    """Ours with one byte changed is damaged; without the metadata it is anybody's."""
    state = state_of_drrn()
    save_file(state, tmp_path / "theirs.safetensors", {"format": "pt"})
    assert list(read_tensors(tmp_path / "theirs.safetensors")) == sorted(state)
    loaded = load_weights(get_experiment(DRRN).make(), tmp_path / "theirs.safetensors", DRRN).state_dict()
    assert all(torch.equal(loaded[key], tensor) for key, tensor in state.items())
    save_tensors(tmp_path / "ours.safetensors", state, {"experiment": DRRN})
    content = bytearray((tmp_path / "ours.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "ours.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="do not match their SHA-256"):
        load_weights(get_experiment(DRRN).make(), tmp_path / "ours.safetensors", DRRN)
