"""Weights from elsewhere: read without running a pickle, and matched with the tensors of a network of ours.

Names differ between projects, and the order of tensors in a file is that in which its author wrote the layers down. So tensors
are matched a layer at a time (its weight, bias and statistics together): by name; then by shape, if one layer has it; then by
order, if names and order leave no doubt. What is doubtful is left over, and a caller refuses it.
"""

import io
import re
import warnings
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as deserialise

from srlib.errors import InputError

Tensors = dict[str, torch.Tensor]

TORCH = (".pth", ".pt", ".ckpt", ".bin", ".tar")
# Entries of a checkpoint that hold the network, the preferred first: averaged weights before those of the last step.
WRAPPERS = (
    "params_ema", "state_dict_ema", "model_ema", "ema", "params", "state_dict", "model_state_dict", "model_state", "model",
    "generator", "netG", "net_g", "network", "net", "weights",
)  # fmt: skip
_SAVE = "save torch.save(model.state_dict(), FILE) where it was trained, and give that"
_KINDS = ("weight", "bias", "running_mean", "running_var")


def read_content(path: str | Path) -> bytes:
    """The bytes of a file of weights; an `InputError` if it is missing, no file, or empty."""
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is not a file: give a file of weights.")
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path} does not exist.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): give a file of weights.") from None
    if not content:
        raise InputError(f"{path} is empty: give a file of weights.")
    return content


def read_tensors(path: str | Path, names: Collection[str] = ()) -> Tensors:
    """The tensors of a network from a file of whatever project.

    Parameters
    ----------
    path : path
        `.npz`, `.safetensors`, or one of `TORCH`; of the last only tensors are read, and no code in it is run.
    names : collection of str, optional
        Names that are wanted: where one is among the tensors, no prefix is removed.

    Returns
    -------
    dict of torch.Tensor
        By name, without a prefix that all share, in the file's order (a `.safetensors` file has none: in the alphabet's).
        float32; but `num_batches_tracked`, integers. Other entries, such as an epoch or an optimiser, are left out.

    Raises
    ------
    InputError
        If the file is missing, empty, damaged, of another kind, or holds objects or no tensors.
    """
    path, content = Path(path), read_content(path)
    suffix = path.suffix.lower()
    try:
        if suffix == ".npz":
            file = np.load(io.BytesIO(content), allow_pickle=False)
            entries: Any = {} if isinstance(file, np.ndarray) else {name: _from_numpy(file[name]) for name in file.files}
        elif suffix == ".safetensors":
            entries = dict(sorted(deserialise(content).items()))
        elif suffix in TORCH:
            with warnings.catch_warnings(action="ignore"):  # of TorchScript and of old pickles, which the errors name, too
                entries = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        else:
            raise InputError(f"{path} is of no known kind: give a .safetensors, .npz or {', '.join(TORCH[:2])} file.")
        tensors = _network(entries) if isinstance(entries, dict) else {}
        tensors = {name: t.detach().float() if t.is_floating_point() else t.detach() for name, t in tensors.items()}
    except InputError:
        raise
    except Exception as error:  # torch, numpy, zipfile and safetensors raise a dozen kinds for a file that is damaged
        raise InputError(f"{path} {_reason(suffix, str(error))}.") from None
    if not tensors:
        raise InputError(f"{path} holds no tensors of one network by name: {_SAVE}.")
    return _without_prefix(tensors, names)


def _from_numpy(array: np.ndarray | bytes) -> torch.Tensor | None:
    kind = array.dtype.kind if isinstance(array, np.ndarray) else ""
    with np.errstate(over="ignore"):  # too large for float32: infinite, and refused as such
        types = {"f": np.float32, "i": np.int64}
        return torch.from_numpy(array.astype(types[kind])) if kind in types else None


def _reason(suffix: str, error: str) -> str:
    """What is wrong with a file that could not be read, and what to do."""
    if suffix not in TORCH:
        return f"cannot be read as {suffix} ({error.splitlines()[0] if error else 'damaged'}): replace it"
    if found := re.search(r"(?:GLOBAL|global:?) (?:GLOBAL )?([\w.]+)", error):
        return f"holds pickled objects ({found[1]}), which may run code and are not opened: {_SAVE}"
    if "TorchScript" in error:
        return f"holds a TorchScript program, which may run code and is not opened: {_SAVE}"
    return f"is damaged, or was not written by torch.save: replace it, or {_SAVE}"


def _network(entries: dict, depth: int = 0) -> Tensors:
    """The tensors in the first of the nested wrappers that has some; else those here; else those of the one entry with some."""
    inner = {name: value for name, value in entries.items() if isinstance(value, dict)}
    if depth < 4:  # a pickle may contain itself
        for name in WRAPPERS:
            if name in inner and (found := _network(inner[name], depth + 1)):
                return found
    if tensors := _tensors(entries):
        return tensors
    found = [tensors for value in inner.values() if (tensors := _tensors(value))]
    return found[0] if len(found) == 1 else {}


def _tensors(entries: dict) -> Tensors:
    names = [name for name in entries if isinstance(name, str) and name.isprintable()]
    return {name: entries[name] for name in names if _is_weight(name, entries[name])}


def _is_weight(name: str, value: object) -> bool:
    """Whether it is a dense tensor with values, of floats or a count of batch normalisation."""
    if not isinstance(value, torch.Tensor) or value.device.type != "cpu" or value.layout != torch.strided or value.is_nested:
        return False
    return value.is_floating_point() or (name.endswith("num_batches_tracked") and not value.is_quantized)


def _without_prefix(tensors: Tensors, names: Collection[str]) -> Tensors:
    """Without `_orig_mod.`, which torch.compile adds, and what else precedes all names."""
    plain = {name.replace("_orig_mod.", ""): tensor for name, tensor in tensors.items()}
    tensors = plain if len(plain) == len(tensors) else tensors
    while len(tensors) > 1 and len({name.partition(".")[0] for name in tensors}) == 1:
        if any(name in names for name in tensors) or not all(name.partition(".")[2] for name in tensors):
            break
        tensors = {name.partition(".")[2]: tensor for name, tensor in tensors.items()}
    return tensors


@dataclass(frozen=True)
class Match:
    """Which tensor of a file goes to which of a network.

    Attributes
    ----------
    pairs : tuple of (str, str, str)
        Name in the file, name in the network, and what tells it: 'name', 'shape' or 'order'.
    zero : tuple of str
        Biases of the network that become zero, because no layer of the file but normalisations has a bias.
    repeated : tuple of str
        Tensors of the file that say again what a pair says: one layer, saved under several names.
    left, missing : tuple of str
        Tensors of the file, and of the network, without a partner.
    unclear : tuple of str
        Those of `left` that are as many as the network has of their shape, but in an order that is not certain.
    """

    pairs: tuple[tuple[str, str, str], ...]
    zero: tuple[str, ...]
    repeated: tuple[str, ...]
    left: tuple[str, ...]
    missing: tuple[str, ...]
    unclear: tuple[str, ...]


def match(tensors: Tensors, network: Tensors) -> Match:
    """Match the tensors of a file with those of a network; but `num_batches_tracked`, on which nothing depends.

    Parameters
    ----------
    tensors : dict of torch.Tensor
        From `read_tensors`.
    network : dict of torch.Tensor
        The network's `state_dict`.
    """
    all_ours = [name for name in network if not name.endswith("num_batches_tracked")]
    if (
        len({_words(name) for name in tensors}) == 1
    ):  # of names that are numbers, such as `arr_0`, only a whole sequence is sure
        numbered = sorted(tensors, key=_numbers)
        if [_flat(tensors[name]) for name in numbered] == [_flat(network[name]) for name in all_ours]:
            return Match(tuple((*pair, "order") for pair in zip(numbered, all_ours, strict=True)), (), (), (), (), ())

    theirs, ours = _layers(tensors), _layers(network)
    zero = []
    if not any(_has_plain_bias(layer) for layer in theirs.values()):
        zero = [layer.pop("bias") for layer in ours.values() if _has_plain_bias(layer)]
    shapes = [{name: _shapes(layer, tensors) for name, layer in theirs.items()}]
    shapes += [{name: _shapes(layer, network) for name, layer in ours.items()}]
    named = [name for name, shape in shapes[1].items() if shapes[0].get(name) == shape]
    found = [(name, name, "name") for name in named]
    rest = [[name for name in side if name not in named] for side in shapes]
    same_sequence = [shapes[0][name] for name in rest[0]] == [shapes[1][name] for name in rest[1]]
    repeated, unclear = [], []
    for shape in dict.fromkeys(shapes[1].values()):
        here, there = ([name for name in side if of[name] == shape] for side, of in zip(rest, shapes, strict=True))
        if len(here) > len(there):
            known = [name for name in named if shapes[0][name] == shape]
            distinct = _distinct([*known, *here], theirs, tensors)[len(known) :]
            repeated += [name for name in here if name not in distinct] if len(distinct) == len(there) else []
            here = distinct
        if len(here) != len(there):
            continue
        if len(here) > 1 and (here := _in_order(here, there, same_sequence, list(tensors) == sorted(tensors))) is None:
            unclear += [name for name in rest[0] if shapes[0][name] == shape]
            continue
        found += [(name, partner, "order" if len(there) > 1 else "shape") for name, partner in zip(here, there, strict=True)]
    taken = {name for name, _, _ in found} | {*repeated}
    given = {partner for _, partner, _ in found}

    def names(layers: dict[str, dict[str, str]], which: Iterable[str]) -> tuple[str, ...]:
        return tuple(tensor for name in which for tensor in layers[name].values())

    pairs = [(theirs[a][kind], tensor, how) for a, b, how in found for kind, tensor in ours[b].items()]
    return Match(
        pairs=tuple(sorted(pairs, key=lambda pair: all_ours.index(pair[1]))),
        zero=tuple(zero),
        repeated=names(theirs, repeated),
        left=names(theirs, [name for name in theirs if name not in taken]),
        missing=names(ours, [name for name in ours if name not in given]),
        unclear=names(theirs, unclear),
    )


def _layers(tensors: Tensors) -> dict[str, dict[str, str]]:
    """The tensors' names by layer and kind. A parameter of its own is the weight of a layer `NAME@`, `weight7` that of `@7`."""
    layers: dict[str, dict[str, str]] = {}
    for tensor in tensors:
        layer, _, kind = tensor.rpartition(".")
        if numbered := re.fullmatch(r"(weight|bias)_?([0-9]+)", kind):
            layer, kind = f"{layer}@{numbered[2]}", numbered[1]
        if kind != "num_batches_tracked":
            layer, kind = (layer, kind) if kind in _KINDS else (f"{tensor}@", "weight")
            layers.setdefault(layer, {})[kind] = tensor
    return layers


def _has_plain_bias(layer: dict[str, str]) -> bool:
    return "bias" in layer and "running_mean" not in layer


def _shapes(layer: dict[str, str], tensors: Tensors) -> tuple:
    """What must agree: the kinds of a layer's tensors, and their shapes."""
    return tuple(sorted((kind, _flat(tensors[name])) for kind, name in layer.items()))


def _flat(tensor: torch.Tensor) -> tuple[int, ...]:
    """The shape of a tensor, where `(1, n, 1, 1)`, `(n, 1)` and `(n,)` are one."""
    sizes = [size for size in tensor.shape if size != 1] or [1]
    return tuple(sizes) if len(sizes) == 1 else tuple(tensor.shape)


def _distinct(names: list[str], layers: dict[str, dict[str, str]], tensors: Tensors) -> list[str]:
    """The layers, all of one shape, without those that are equal to an earlier one."""
    distinct: list[str] = []
    for name in names:
        pairs = ([(tensors[layers[name][kind]], tensors[layers[other][kind]]) for kind in layers[name]] for other in distinct)
        if not any(all(torch.equal(a, b) for a, b in pair) for pair in pairs):
            distinct.append(name)
    return distinct


def _in_order(here: list[str], there: list[str], same_sequence: bool, alphabetical: bool) -> list[str] | None:
    """The file's layers of one shape in the order of the network's; `None` if another order is as plausible.

    Names that differ in numbers alone are in the order of these numbers, others in that of the file, unless the alphabet made
    it. Where the network has them in groups, as `norms_1.0`, `norms_1.1`, `norms_2.0`, ..., another network may have written
    them the other way round (`0.norm_1`, `0.norm_2`, `1.norm_1`, ...), so the file must have groups of the same sizes, which
    tell the two ways apart, or have layers of all shapes in just the network's order.
    """
    numbers: dict[str, list[list[int]]] = {}
    for name in here:
        numbers.setdefault(_words(name), []).append(_numbers(name))
    if len(numbers) == 1:
        here = sorted(here, key=_numbers)
    elif alphabetical or any(ordered != sorted(ordered) for ordered in numbers.values()):
        return None
    single = tuple(range(len(here)))
    groups, wanted = _groups(here), _groups(there)
    if same_sequence:
        certain = single in groups or groups == wanted
    else:
        certain = groups == wanted and len({max(group) for group in wanted}) == len(wanted)
    return here if certain or single in wanted else None


def _words(name: str) -> str:
    return re.sub(r"[0-9]{1,18}", "#", name)


def _numbers(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"[0-9]{1,18}", name)]  # of 18 digits at most: int() refuses thousands


def _groups(names: list[str]) -> set[tuple[int, ...]]:
    """How words and each of the numbers group the names: `(0, 0, 1, 1)` and `(0, 1, 0, 1)` of a.0, a.1, b.0 and b.1."""
    groups = set()
    for column in zip_longest(*((_words(name), *_numbers(name)) for name in names)):
        ranks = {value: rank for rank, value in enumerate(dict.fromkeys(column))}
        groups.add(tuple(ranks[value] for value in column))
    return {group for group in groups if any(group)}
