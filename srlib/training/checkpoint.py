"""Files of weights and of training states: safetensors with a digest, written atomically.

The metadata of a file hold the name of its experiment and the SHA-256 of its tensors, so a torn, damaged or foreign file is
refused by name. Weights for use may come from elsewhere, too: see `foreign`.
"""

import hashlib
import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as deserialise
from safetensors.torch import save as serialise
from torch import nn

from srlib.errors import InputError
from srlib.files import write_atomically
from srlib.training.foreign import Tensors, read_content, read_tensors


def save_tensors(path: str | Path, tensors: Tensors, metadata: dict[str, Any]) -> str:
    """Write tensors and metadata (as JSON) atomically.

    Returns
    -------
    str
        SHA-256 of the tensors, from `digest`.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    sha256 = digest(tensors)
    write_atomically(path, serialise(tensors, {"srlib": json.dumps({**metadata, "sha256": sha256})}))
    return sha256


def load_tensors(path: str | Path) -> tuple[Tensors, dict[str, Any]]:
    """Tensors and metadata of a file of `save_tensors`; of one version of it, even while another process replaces it.

    Returns
    -------
    dict of torch.Tensor
        By name.
    dict
        The metadata, with the digest as `sha256`.

    Raises
    ------
    InputError
        If the file is missing or torn, was not written by `save_tensors`, or its tensors do not match its digest.
    """
    content = read_content(path)  # opened once: `safe_open` opens a file twice, and may get two versions of it
    try:
        tensors = deserialise(content)
    except SafetensorError as error:
        raise InputError(f"{path} is damaged or no safetensors file ({error}): delete or replace it.") from None
    try:
        metadata = json.loads(_metadata(content)["srlib"])
        expected = metadata["sha256"]
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path} was not written by srlib (no digest in it): give a file from a record.") from None
    if digest(tensors) != expected:
        raise InputError(f"{path} is damaged: its tensors do not match their SHA-256; delete or replace it.")
    return tensors, metadata


def _metadata(content: bytes) -> dict[str, str]:
    return json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]


def save_weights(path: str | Path, model: nn.Module, experiment: str) -> str:
    """Write the weights of a record: convolutions in half precision, all smaller tensors in single.

    Returns
    -------
    str
        SHA-256 of the tensors.

    Notes
    -----
    Scores are computed from this file, so its rounding (at most 5e-4 of a weight) is in them.
    """
    tensors = {name: t.half() if t.is_floating_point() and t.dim() > 1 else t for name, t in model.state_dict().items()}
    return save_tensors(path, tensors, {"experiment": experiment})


def digest(tensors: Tensors) -> str:
    """SHA-256 over the names, dtypes, shapes and bytes of tensors, as a hexadecimal string."""
    sha256 = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        sha256.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha256.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return sha256.hexdigest()


def read_weights(path: str | Path, names: Collection[str] = ()) -> tuple[Tensors, str | None]:
    """The tensors of a file of ours, checked against their digest, or of one from elsewhere.

    Parameters
    ----------
    path, names
        As for `srlib.training.foreign.read_tensors`.

    Returns
    -------
    dict of torch.Tensor
        By name.
    str or None
        The experiment that a file of ours belongs to.

    Raises
    ------
    InputError
        If the file cannot be read, or is ours and its tensors do not match its digest.
    """
    try:
        ours = Path(path).suffix.lower() == ".safetensors" and "srlib" in _metadata(read_content(path))
    except (ValueError, KeyError, TypeError, RecursionError):
        ours = False
    if not ours:
        return read_tensors(path, names), None
    tensors, metadata = load_tensors(path)
    return tensors, metadata.get("experiment")


def load_weights(model: nn.Module, path: str | Path, name: str | None = None) -> nn.Module:
    """A model with the weights of a file: ours, or one from elsewhere with the same names and shapes.

    Parameters
    ----------
    model : torch.nn.Module
        Of the file's architecture; its weights are overwritten.
    path : path
        A file that `srlib.training.foreign.read_tensors` reads, or VDSR's release as `.npz` (`weight0..19` OIHW, `bias0..19`).
        `num_batches_tracked` may be absent, and a tensor may be there several times.
    name : str, optional
        Name of the experiment. Recursive networks of all depths have weights of one shape, so it is compared with the file's.

    Returns
    -------
    torch.nn.Module
        `model`.

    Raises
    ------
    InputError
        If the file cannot be read, belongs to another experiment or architecture, or holds a NaN or infinity.
    """
    state = model.state_dict()
    tensors, owner = read_weights(path, state)
    if owner is None:
        tensors = _as_named(tensors, state)
    model_shapes = {name: tuple(t.shape) for name, t in state.items()}
    file_shapes = {name: tuple(t.shape) for name, t in tensors.items()}
    if differing := sorted({tensor for tensor, _ in model_shapes.items() ^ file_shapes.items()}):
        first = differing[0]
        raise InputError(
            f"{path} does not fit {name or type(model).__name__}{f' (it holds {owner})' if owner else ''}: {len(differing)} "
            f"tensors differ, the first is {first} (file: {file_shapes.get(first, 'absent')}, "
            f"model: {model_shapes.get(first, 'absent')})"
            + ("." if owner else "; if only names differ, convert it with `python -m srlib import-weights`.")
        )
    if None not in (name, owner) and name != owner:
        raise InputError(f"{path} holds {owner}, not {name}: give the file of {name}, or ask for {owner}.")
    if not all(torch.isfinite(t).all() for t in tensors.values()):
        raise InputError(f"{path} holds NaN or infinite weights: it is of no use.")
    model.load_state_dict(tensors)
    return model


def _as_named(tensors: Tensors, state: Tensors) -> Tensors:
    """Tensors from elsewhere as `state` has them: VDSR's release renamed, repetitions left out, counts of batches added."""
    if all(re.fullmatch(r"(weight|bias)[0-9]+", name) for name in tensors):
        numbered = {name: re.split(r"([0-9]+)", name) for name in tensors}
        tensors = {
            f"convs.{number}.{kind}": tensors[name].reshape(-1) if kind == "bias" else tensors[name]
            for name, (kind, number, _) in numbered.items()
        }
    known = {name: tensor for name, tensor in tensors.items() if name in state}
    others = {n: t for n, t in tensors.items() if n not in state and not any(torch.equal(t, k) for k in known.values())}
    counts = {name: tensor for name, tensor in state.items() if name.endswith("num_batches_tracked")}
    return counts | known | others
