"""Files of weights and of training states: safetensors with a digest, written atomically.

The metadata of a file hold the name of its experiment and the SHA-256 of its tensors, so a torn, damaged or foreign file is
refused by name. Pickles are never read.
"""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as deserialise
from safetensors.torch import save as serialise
from torch import nn

from srlib.errors import InputError
from srlib.files import write_atomically

Tensors = dict[str, torch.Tensor]


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
    try:
        content = Path(path).read_bytes()  # opened once: `safe_open` opens a file twice, and may get two versions of it
        tensors = deserialise(content)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.") from None
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is damaged or no safetensors file ({error}): delete or replace it.") from None
    try:
        head = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        metadata = json.loads(head["__metadata__"]["srlib"])
        expected = metadata["sha256"]
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path} was not written by srlib (no digest in it): give a file from a record.") from None
    if digest(tensors) != expected:
        raise InputError(f"{path} is damaged: its tensors do not match their SHA-256; delete or replace it.")
    return tensors, metadata


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


def load_weights(model: nn.Module, path: str | Path, name: str | None = None) -> nn.Module:
    """A model with the weights of a file: our `.safetensors`, or VDSR's release as `.npz` (`weight0..19` OIHW, `bias0..19`).

    Parameters
    ----------
    model : torch.nn.Module
        Of the file's architecture; its weights are overwritten.
    path : path
        The file. Pickles (`.pt`, `.pth`) are never opened.
    name : str, optional
        Name of the experiment. Recursive networks of all depths have weights of one shape, so it is compared with the file's.

    Returns
    -------
    torch.nn.Module
        `model`.

    Raises
    ------
    InputError
        If the file belongs to another experiment or architecture, or holds a NaN or infinity.
    """
    path, owner = Path(path), None
    if path.suffix == ".npz":
        tensors = _vdsr_release(path)
    elif path.suffix == ".safetensors":
        tensors, metadata = load_tensors(path)
        owner = metadata.get("experiment")
    else:
        raise InputError(f"{path} is of no known kind: give a .safetensors file, or VDSR weights as .npz.")
    model_shapes = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    file_shapes = {name: tuple(t.shape) for name, t in tensors.items()}
    if differing := sorted({tensor for tensor, _ in model_shapes.items() ^ file_shapes.items()}):
        first = differing[0]
        raise InputError(
            f"{path} does not fit {name or type(model).__name__}{f' (it holds {owner})' if owner else ''}: {len(differing)} "
            f"tensors differ, the first is {first} (file: {file_shapes.get(first, 'absent')}, "
            f"model: {model_shapes.get(first, 'absent')})."
        )
    if None not in (name, owner) and name != owner:
        raise InputError(f"{path} holds {owner}, not {name}: give the file of {name}, or ask for {owner}.")
    if not all(torch.isfinite(t).all() for t in tensors.values()):
        raise InputError(f"{path} holds NaN or infinite weights: it is of no use.")
    model.load_state_dict(tensors)
    return model


def _vdsr_release(path: Path) -> Tensors:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name].astype(np.float32, casting="same_kind") for name in file.files}
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.") from None
    except (OSError, ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read as .npz ({error}): replace it.") from None
    tensors = {}
    for name, array in arrays.items():
        kind = "weight" if name.startswith("weight") else "bias"
        tensor = torch.from_numpy(array)
        tensors[f"convs.{name.removeprefix(kind)}.{kind}"] = tensor if kind == "weight" else tensor.reshape(-1)
    return tensors
