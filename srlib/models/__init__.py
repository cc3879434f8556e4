"""The networks, one file for each paper, with their base class (`base`) and their counts (`counting`)."""

from collections.abc import Callable
from functools import partial

from srlib.errors import InputError
from srlib.models import drn, drrn, dsrn, rlcsc, srcnn, vdsr
from srlib.models.base import SRModel
from srlib.models.counting import CONVOLUTIONS, macs_per_pixel, meta_model, params, params_total
from srlib.models.drcn import DRCN
from srlib.models.drn import DRN, drn_plus_x2, drn_plus_x3, drn_plus_x4, drn_x2, drn_x3, drn_x4
from srlib.models.drrn import DRRN, drrn_b1u9, drrn_b1u25
from srlib.models.dsrn import DSRN, SingleState, dsrn_t7_x2, dsrn_t7_x3, dsrn_t7_x4
from srlib.models.rlcsc import RLCSC, rlcsc_k25, rlcsc_k48
from srlib.models.srcnn import SRCNN
from srlib.models.vdsr import VDSR

__all__ = [
    "ARCHITECTURES", "CONVOLUTIONS", "DRCN", "DRN", "DRRN", "DSRN", "MODELS", "PUBLISHED", "RLCSC", "SRCNN", "VDSR", "SRModel",
    "SingleState", "drn_plus_x2", "drn_plus_x3", "drn_plus_x4", "drn_x2", "drn_x3", "drn_x4", "drrn_b1u9", "drrn_b1u25",
    "dsrn_t7_x2", "dsrn_t7_x3", "dsrn_t7_x4", "macs_per_pixel", "make_model", "meta_model", "params", "params_total",
    "rlcsc_k25", "rlcsc_k48",
]  # fmt: skip

# Architecture to its class.
ARCHITECTURES: dict[str, Callable[..., SRModel]] = {
    "srcnn": SRCNN,
    "vdsr": VDSR,
    "drcn": DRCN,
    "drrn": DRRN,
    "dsrn": DSRN,
    "dsrn_single_state": SingleState,
    "rlcsc": RLCSC,
    "drn": DRN,
}
# Published variant to its architecture and arguments.
PUBLISHED: dict[str, tuple[str, dict]] = {
    name: (architecture, arguments)
    for architecture, variants in {
        "srcnn": srcnn.VARIANTS,
        "vdsr": vdsr.VARIANTS,
        "drcn": {"drcn": {}},
        "drrn": drrn.VARIANTS,
        "dsrn": dsrn.VARIANTS,
        "dsrn_single_state": {"dsrn_single_state": {}},
        "rlcsc": rlcsc.VARIANTS,
        "drn": drn.VARIANTS,
    }.items()
    for name, arguments in variants.items()
}
# Published variant to its constructor: `MODELS["drrn_b1u9"]()`.
MODELS: dict[str, Callable[[], SRModel]] = {
    name: partial(ARCHITECTURES[architecture], **arguments) for name, (architecture, arguments) in PUBLISHED.items()
}


def make_model(architecture: str, arguments: dict) -> SRModel:
    """A network of an architecture with some arguments; an `InputError` lists the architectures if it is unknown."""
    if architecture not in ARCHITECTURES:
        raise InputError(f"Architecture {architecture!r} is unknown: choose one of {', '.join(ARCHITECTURES)}.")
    return ARCHITECTURES[architecture](**arguments)
