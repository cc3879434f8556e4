"""RL-CSC's numbers that need no training, and its contradictions."""

from collections.abc import Callable

import numpy as np
import torch

from srlib.datasets import is_available, open_images
from srlib.graphs.sparse_coding import ista, mu_max, objective
from srlib.models import CONVOLUTIONS, meta_model
from srlib.models.rlcsc import RLCSC
from srlib.papers import drrn
from srlib.papers.checks.counting import Number, angles, calls, convolutions, depth, images, net, size
from srlib.papers.published import printed
from srlib.papers.rlcsc import EPOCH, PUBLISHED, PUBLISHED_NO_RESIDUAL
from srlib.protocol import PROTOCOLS

KS = (15, 20, 25, 48)


def _initial_variance() -> float:
    """Variance of the initial weights of S, times the number of its outputs: nine positions of each output map."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        weight = RLCSC(K=1).S.weight.detach()
    return float(weight.var() * 9 * weight.shape[0])


def _recursions(name: str) -> Number:
    """Number of calls of S in one forward pass."""
    return lambda: calls(net(name), [net(name).S])


def _maps(name: str, layer: str, side: int) -> Number:
    """Number of output (0) or input (1) maps of a convolution, or (2) the side of its filters."""
    return lambda: getattr(net(name), layer).weight.shape[side]


FULL, SMALL, WIDE = "rlcsc_k25", "rlcsc_k15_m128", "rlcsc_k15"

NUMBERS: dict[str, Number] = {
    # depths: of the network that the id or the sentence names
    **{
        f"rlcsc.{home}": depth(name)
        for name, homes in {
            FULL: ("p.depth", "p.depth.abstract", "p.depth.contribution", "p.depth.scn_compared", "t1.depth", "t4.depth"),
            "drrn_b1u25": (
                *("p.depth.drrn.abstract", "p.depth.drrn.contribution"),
                *("t1.depth.drrn", "t4.depth.drrn52", "t4.depth.difficult"),
            ),
            "drrn_b1u9": ("t4.depth.drrn20",),
            "vdsr": ("p.depth.vdsr",),
        }.items()
        for home in homes
    },
    **{f"rlcsc.f7.k{K}.depth": depth(f"rlcsc_k{K}") for K in KS},
    "rlcsc.p.depth.formula": lambda: convolutions(meta_model(lambda: RLCSC(K=7, n=4, m=4))) - 7,
    # weights
    "rlcsc.f8.i.params": size(WIDE),
    "rlcsc.f8.ii.params": size(SMALL),
    "rlcsc.f8.small.params": size(SMALL),
    "rlcsc.f8.vdsr.params": size("vdsr"),
    # structure
    "rlcsc.p.layers": lambda: sum(isinstance(module, CONVOLUTIONS) for module in net(FULL).modules()),
    **{f"rlcsc.p.{layer.lower()}.out": _maps(FULL, layer, 0) for layer in ("F0", "F1", "W1", "S", "W2", "H")},
    **{f"rlcsc.p.{layer.lower()}.in": _maps(FULL, layer, 1) for layer in ("F0", "F1", "W1", "S", "W2", "H")},
    "rlcsc.p.kernel": _maps(FULL, "F0", 2),
    "rlcsc.p.recursions": _recursions(FULL),
    "rlcsc.p.recursions.more": _recursions(FULL),
    "rlcsc.p.recursions.most": _recursions("rlcsc_k48"),
    "rlcsc.p.days.recursions": _recursions(FULL),
    "rlcsc.f1.recursions": _recursions(FULL),
    **{f"rlcsc.f7.k{K}.recursions": _recursions(f"rlcsc_k{K}") for K in KS},
    "rlcsc.f8.i.n": _maps(WIDE, "F0", 0),
    "rlcsc.f8.i.m": _maps(WIDE, "S", 0),
    "rlcsc.f8.i.w2.out": _maps(WIDE, "W2", 0),
    "rlcsc.f8.i.w2.in": _maps(WIDE, "W2", 1),
    "rlcsc.f8.i.recursions": _recursions(WIDE),
    "rlcsc.f8.ii.n": _maps(SMALL, "F0", 0),
    "rlcsc.f8.ii.m": _maps(SMALL, "S", 0),
    "rlcsc.f8.ii.recursions": _recursions(SMALL),
    "rlcsc.p.init": _initial_variance,
    # data and training
    **{f"rlcsc.p.images.{name.lower()}": images(name) for name in ("T91", "BSDS200", "BSD100", "Urban100")},
    **{f"rlcsc.p.{name}": images("T91", "BSDS200") for name in ("images", "images.augmented")},
    **{f"rlcsc.p.rotation.{k}": lambda k=k: angles(PUBLISHED.transforms)[k - 1] for k in (1, 2, 3)},
    **{f"rlcsc.p.size.{k}": lambda k=k: PUBLISHED.sizes[k] for k in (1, 2, 3)},
    **{f"rlcsc.p.scale.{k}": lambda k=k: PUBLISHED.scales[k - 2] for k in (2, 3, 4)},
    **{f"rlcsc.p.{name}": lambda name=name: getattr(PUBLISHED, name) for name in ("patch", "stride", "batch", "lr", "clip")},
    **{f"rlcsc.p.{name}": lambda name=name: getattr(PUBLISHED, name) for name in ("momentum", "weight_decay")},
    "rlcsc.p.loss": lambda: PUBLISHED.loss_factor,
    "rlcsc.p.decay": lambda: 1 / PUBLISHED.decay,
    "rlcsc.p.decay.epochs": lambda: PUBLISHED.decay_every / EPOCH,
    # Of a pass of our recipe; that the images, cut as in its lineage, give so many is a test of `srlib.training.patches`.
    "rlcsc.p.pairs": lambda: EPOCH * PUBLISHED.batch,
    "rlcsc.p.epochs": lambda: PUBLISHED.iterations / EPOCH,
    "rlcsc.t3.epoch": lambda: PUBLISHED_NO_RESIDUAL.iterations / EPOCH + 1,
    "rlcsc.t4.patch.drrn": lambda: drrn.PUBLISHED.patch,
}


def _black() -> float:
    """PSNR of a black image in place of each of Set5's at x3, in dB."""
    protocol = PROTOCOLS["drrn"]
    scores = [protocol.evaluate(hr, 3, lambda lr, ilr, scale: np.zeros_like(ilr), ("psnr",)) for _, hr in open_images("Set5")]
    return float(np.mean([score.psnr for score in scores]))


def _steps_climb() -> bool:
    """Whether ISTA with an L that Eq. 2 allows, a quarter of mu_max, leads away from the minimum."""
    generator = torch.Generator().manual_seed(0)
    D, y = torch.randn(8, 16, generator=generator), torch.randn(4, 8, generator=generator)
    by_eq_2, by_mu_max = (objective(y, D, ista(y, D, 0.1, 20, L)[-1], 0.1).sum() for L in (mu_max(D) / 4, mu_max(D)))
    start = objective(y, D, torch.zeros(4, 16), 0.1).sum()
    return bool(by_mu_max < start < by_eq_2)


# Whether a contradiction of `contradictions.csv` still holds, for those that a computation shows.
HOLDS: dict[str, Callable[[], bool]] = {
    "rlcsc.w2": lambda: printed("rlcsc.p.w2.out") != printed("rlcsc.p.h.in") == printed("rlcsc.p.w2.in"),
    "rlcsc.w2.symbols": lambda: net(FULL).W1.weight.shape[:2] == (256, 128) and net(FULL).W2.weight.shape[:2] == (128, 256),
    "rlcsc.z": lambda: net("rlcsc_k25").recursion(*torch.zeros(2, 1, 256, 5, 7, device="meta"), 1).shape[1:] == (256, 5, 7),
    "rlcsc.ista": _steps_climb,
    "rlcsc.best": lambda: round(printed("rlcsc.t1.set14.x3.memnet.psnr") - printed("rlcsc.t1.set14.x3.rl-csc.psnr"), 2) == 0.01,
    "rlcsc.quoted_ssim": lambda: printed("rlcsc.t1.set14.x4.drrn.ssim") != printed("drrn.t2.set14.x4.drrn_b1u25.ssim"),
    "rlcsc.664k": lambda: size("vdsr")() == 664_704 and round(size("vdsr")() / 1000) != printed("rlcsc.f8.vdsr.params") / 1000,
}
if is_available("Set5"):
    HOLDS["rlcsc.black"] = lambda: all(round(_black(), 2) == printed(f"rlcsc.t3.no_residual.epoch{k}") for k in (1, 5, 10, 13))
