"""DSRN's numbers that need no training, and its contradictions."""

from collections.abc import Callable
from functools import cache

import torch
from torch import nn
from torch.nn import functional as F

from srlib.graphs import recurrence as graphs
from srlib.models import PUBLISHED, meta_model, params, params_total
from srlib.models.dsrn import DSRN, Residual
from srlib.papers import dsrn
from srlib.papers.checks.counting import Number, angles, images, net
from srlib.papers.published import Claim, claims, printed

X2 = dsrn.published(2)  # the scales differ in length and, at x3, in patches of 126
SETS = ("set5", "set14", "bsd100", "urban100")


@cache
def _graph() -> graphs.Recurrence:
    return graphs.dsrn(net("dsrn_t7_x2"))


def _start() -> nn.Module:
    """The layers that compute the initial state s_l^0 from the image."""
    return next(state.start for state in _graph().states if state.start)


def _between_states() -> int:
    """Number of transition functions from a state to a state, not from the input or to the output."""
    return sum(link.source != "x" and link.target != "y" for link in _graph().links)


def _a_step(count: Callable[[nn.Module], int]) -> float:
    """Growth of a count by each unrolling step."""
    return (count(net("dsrn_t9_x2")) - count(net("dsrn_t1_x2"))) / (9 - 1)


def _table_1() -> list[Claim]:
    """The PSNRs of Table 1."""
    return [claim for claim in claims("dsrn") if claim.where == "Table 1" and claim.metric == "psnr"]


def _psnr(method: str) -> dict[tuple[str, int], float]:
    """A method's twelve PSNRs in Table 1."""
    return {(s, x): printed(f"dsrn.t1.{s}.x{x}.{method}.psnr") for s in SETS for x in dsrn.SCALES}


def _table_2(better: str, worse: str) -> list[float]:
    """Differences of two rows of Table 2, in dB, one a scale."""
    return [printed(f"dsrn.t2.x{x}.{better}") - printed(f"dsrn.t2.x{x}.{worse}") for x in dsrn.SCALES]


def _never_written(kernel: int, stride: int) -> int:
    """Number of pixels of a stride x stride cell that a transposed convolution leaves at zero."""
    up = meta_model(lambda: DSRN(stride, T=1, width=2, kernel=kernel)).f_up[0].to_empty(device="cpu")
    with torch.no_grad():
        up.weight.fill_(1)
        up.bias.zero_()
        image = up(torch.ones(1, 2, 9, 9))
    middle = slice(4 * stride, 5 * stride)
    return int((image[0, 0, middle, middle] == 0).sum())


NUMBERS: dict[str, Number] = {
    "dsrn.p.benchmarks": lambda: len({claim.dataset for claim in _table_1()}),
    "dsrn.p.srcnn.stages": lambda: graphs.convolutions(net("srcnn_915")),
    "dsrn.p.vdsr.depth": lambda: net("vdsr").depth,
    "dsrn.p.vdsr.kernel": lambda: next(m for m in net("vdsr").modules() if isinstance(m, nn.Conv2d)).kernel_size[0],
    "dsrn.p.drcn.layers": lambda: net("drcn").T,
    "dsrn.p.resnet.convolutions": lambda: graphs.convolutions(meta_model(lambda: Residual(1))),
    "dsrn.p.drcn.recursions": lambda: net("drcn").T,
    "dsrn.f1.drrn.blocks": lambda: PUBLISHED["drrn_b1u25"][1]["B"],
    "dsrn.p.links.coloured": _between_states,
    "dsrn.f2.links": _between_states,
    "dsrn.p.links": lambda: len(_graph().links),
    "dsrn.p.start.convolutions": lambda: graphs.convolutions(_start()),
    "dsrn.p.loss.half": lambda: 1 / X2.loss_factor,
    "dsrn.p.images": images("T91"),
    **{f"dsrn.p.rotation.{k}": lambda k=k: angles(X2.transforms)[k - 1] for k in (1, 2, 3)},
    **{f"dsrn.p.sizes.{k}": lambda k=k: sorted(X2.sizes)[k - 1] for k in range(1, 7)},
    **{f"dsrn.p.scales.{x}": lambda x=x: net(f"dsrn_t7_x{x}").scale for x in dsrn.SCALES},
    "dsrn.p.filters.first": lambda: net("dsrn_t7_x2").input_1.out_channels,
    "dsrn.p.filters": lambda: net("dsrn_t7_x2").input_2.out_channels,
    "dsrn.p.kernel": lambda: max(m.weight.shape[-1] for m in net("dsrn_t7_x2").modules() if hasattr(m, "kernel_size")),
    "dsrn.p.momentum": lambda: X2.momentum,
    "dsrn.p.lr.high": lambda: X2.lr,
    "dsrn.p.lr.factor": lambda: 1 / X2.decay,
    "dsrn.p.lr.times": lambda: (X2.iterations - 1) // X2.decay_every,
    "dsrn.p.clip": lambda: X2.clip,
    "dsrn.p.patch": lambda: X2.patch,
    "dsrn.p.batch": lambda: X2.batch,
    "dsrn.p.scalars": lambda: _a_step(params_total),
    "dsrn.p.prelu": lambda: _a_step(params_total) / len(_graph().states),
    "dsrn.p.depth.multiplier": lambda: _a_step(lambda model: model.depth),
    "dsrn.p.depth.constant": lambda: graphs.depth(_graph()) - 2 * _graph().T,
    "dsrn.p.depth.residual": lambda: graphs.convolutions(net("dsrn_t7_x2").f_lr[0]),
    "dsrn.p.depth.extra": lambda: graphs.depth(_graph()) - 2 * _graph().T,
    "dsrn.p.T": lambda: net("dsrn_t7_x2").T,
    "dsrn.t2.gain.sharing": lambda: sum(_table_2("dsrn", "untied")) / len(dsrn.SCALES),
    "dsrn.t2.scales": lambda: len(dsrn.SCALES),
    "dsrn.f5.steps": lambda: len(net("dsrn_t7_x2").normalise_h),
    "dsrn.p.methods": lambda: len({claim.method for claim in _table_1()} - {"bicubic", "dsrn"}),
    "dsrn.p.images.others": images("T291"),
    "dsrn.p.images.additional": images("BSDS200"),
    "dsrn.p.images.only": images("T91"),
}

# Whether a contradiction of `contradictions.csv` still holds, for those that a computation shows.
HOLDS: dict[str, Callable[[], bool]] = {
    "dsrn.prelu_bounds_nothing": lambda: all(
        F.prelu(torch.tensor([5.0]), torch.tensor([slope])).item() == 5 for slope in (-1.0, 0.0, 0.25, 2.0)
    ),
    "dsrn.holes_at_x4": lambda: _never_written(3, 4) == 7 and not _never_written(3, 2) and not _never_written(3, 3),
    "dsrn.skip_does_not_fit": lambda: len({1, printed("dsrn.p.filters.first"), printed("dsrn.p.filters")}) == 3,
    "dsrn.the_extra_4": lambda: graphs.convolutions(_start()) + graphs.convolutions(net("dsrn_t7_x2").f_output) == 3,
    "dsrn.mixed_protocols": lambda: (
        all(printed(f"drrn.t2.{s}.x{x}.drrn_b1u25.psnr") == value for (s, x), value in _psnr("drrn").items())
        and sum(printed(f"drrn.t2.{s}.x{x}.bicubic.psnr") != value for (s, x), value in _psnr("bicubic").items()) >= 4
    ),
    "dsrn.srcnn_version": lambda: all(
        abs(printed(f"dsrn.t1.set5.x{x}.srcnn.psnr") - printed(f"drrn.t2.set5.x{x}.srcnn.psnr")) < 0.015 for x in (2, 3, 4)
    ),
    "dsrn.parameter_efficiency": lambda: (
        3 * params(net("drrn_b1u25")) < params(net("dsrn_t7_x3"))
        and sum(value > _psnr("dsrn")[key] for key, value in _psnr("drrn").items()) == 10
    ),
}
