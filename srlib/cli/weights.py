"""The command that converts weights from elsewhere."""

import argparse
import hashlib
import sys

import torch

from srlib.errors import InputError
from srlib.files import check_output
from srlib.models import MODELS
from srlib.papers import get_experiment
from srlib.training.checkpoint import read_weights, save_tensors
from srlib.training.foreign import match

MOST = 40  # tensors without a partner that are listed of each side


def import_weights_command(options: argparse.Namespace) -> None:
    """Convert weights from elsewhere, with other names or prefixes, into a file for --weights."""
    path, name, output = options.file, options.model, options.output
    if name == "bicubic":
        raise InputError("Bicubic interpolation is no network: it has no weights.")
    if output.suffix != ".safetensors":
        raise InputError(f"{output} has another suffix than .safetensors: give a name that ends in it.")
    check_output(output, inputs=[path])
    network = (MODELS[name] if name in MODELS else get_experiment(name).make)().state_dict()
    tensors, owner = read_weights(path, network)
    if owner not in (None, name):
        raise InputError(f"{path} holds {owner}, not {name}: give the file of {name}, or ask for {owner}.")
    found = match(tensors, network)

    width = max((len(theirs) for theirs, _, how in found.pairs if how != "name"), default=0)
    for theirs, ours, how in found.pairs:
        if how != "name":
            print(f"{theirs:<{width}} -> {ours}  {tuple(tensors[theirs].shape)}, by {how}")
    hows = [how for *_, how in found.pairs]
    print(f"matched: {', '.join(f'{hows.count(how)} by {how}' for how in ('name', 'shape', 'order'))}")
    if found.repeated:
        print(f"the same again: {', '.join(found.repeated)}")
    if found.left or found.missing:
        for tensor in found.left[:MOST]:
            doubt = ", its place among those of its shape is not certain" if tensor in found.unclear else ""
            print(f"only in the file: {tensor}  {tuple(tensors[tensor].shape)}{doubt}", file=sys.stderr)
        for tensor in found.missing[:MOST]:
            print(f"only in {name}: {tensor}  {tuple(network[tensor].shape)}", file=sys.stderr)
        for place, names in (("the file", found.left), (name, found.missing)):
            if len(names) > MOST:
                print(f"only in {place}: {len(names) - MOST} more", file=sys.stderr)
        raise InputError(
            f"{path} does not fit {name}: {len(found.left)} of its tensors and {len(found.missing)} of the network's have no "
            "partner (listed above); rename them to the network's names if they are the same, or choose another network."
        )
    if found.zero:
        print(f"no convolution in the file has a bias: those of {name}, {len(found.zero)}, are 0")
        network |= {tensor: torch.zeros_like(network[tensor]) for tensor in found.zero}
    network |= {ours: tensors[theirs].float().reshape(network[ours].shape) for theirs, ours, _ in found.pairs}
    if not all(torch.isfinite(tensor).all() for tensor in network.values()):
        raise InputError(f"{path} holds NaN or infinite weights: it is of no use.")
    source = hashlib.sha256(path.read_bytes()).hexdigest()
    save_tensors(output, network, {"experiment": name, "imported": True, "source_sha256": source})
    print(f"{output}: use it with --weights, as {name}")
    if "order" in hows:
        print(
            f"srlib: {hows.count('order')} tensors were matched by their order alone: compare the network's scores with those "
            "that were published for it",
            file=sys.stderr,
        )
