"""DRRN's numbers that need no training, and its contradictions."""

from collections import Counter
from collections.abc import Callable
from functools import cache
from math import gcd

import torch

from srlib.datasets import DATASETS
from srlib.models import meta_model, params, params_total
from srlib.models.drrn import DRRN
from srlib.models.vdsr import VDSR
from srlib.papers.checks.counting import Number, angles, convolutions, depth, gain, images, net, ratio, size
from srlib.papers.drrn import GRID, PUBLISHED, experiment
from srlib.papers.published import contradictions, printed

# Convolutions a level: all of RED30's have 128 filters of 3 x 3, as VDSR's would have at that depth.
RED30 = VDSR, {"depth": 30, "width": 128}
# Milestones of the released solver: all are whole epochs.
EPOCH = gcd(PUBLISHED.decay_every, *(experiment(1, U).recipe("published").iterations for U in (9, 25)))
BERKELEY = (321, 481)  # pixels of an image of the Berkeley Segmentation Dataset


def _identities() -> float:
    """Number of identity skips from image to output: the output with the last convolution at zero, over the input."""
    with torch.random.fork_rng(), torch.no_grad():
        model, x = DRRN(1, 2, width=4).eval(), torch.full((1, 1, 2, 2), 0.5)
        model.reconstruction.weight.zero_()
        model.reconstruction.bias.zero_()
        return float((model(x) / x).mean())


@cache
def _depth_of(B: int, U: int) -> int:
    return convolutions(meta_model(lambda: DRRN(B, U, width=4)))


def _special_case() -> float:
    """The number of units at which DRRN has the depth and the weights of VDSR; NaN if there is none."""
    vdsr = (convolutions(net("vdsr")), params(net("vdsr")))
    for U in range(3):
        for B in range(1, vdsr[0]):
            model = meta_model(lambda B=B, U=U: DRRN(B, U, width=64))
            if (model.depth, params(model)) == vdsr:
                return U
    return float("nan")


@cache
def _fixed(extreme: bool) -> list[tuple[int, list[int]]]:
    """For B and for U the value that Figure 6's grid keeps fixed, and the sorted values of the other parameter."""
    grid = [(B, U) for B, U in GRID if (_depth_of(B, U) == _depth_of(1, 25)) == extreme and (B, U) != (1, 9)]
    ranges = []
    for axis, other in ((0, 1), (1, 0)):
        value = Counter(point[axis] for point in grid).most_common(1)[0][0]
        ranges.append((value, sorted(point[other] for point in grid if point[axis] == value)))
    return ranges


_T2 = "drrn.t2.{}.x{}.{}.psnr"
_URBAN = {scale: [_T2.format("urban100", scale, name) for name in ("drrn_b1u25", "vdsr", "drcn")] for scale in (2, 3, 4)}
_SET5 = {name: _T2.format("set5", 3, name) for name in ("drrn_b1u25", "vdsr", "drcn")}

NUMBERS: dict[str, Number] = {
    # depths: of the network that the id or the sentence names
    **{
        f"drrn.{home}": depth(name)
        for name, homes in {
            "srcnn_955": ("p.depth.srcnn", "p.depth.srcnn.related"),
            "vdsr": ("p.depth.vdsr", "p.depth.vdsr.intro"),
            "drcn": ("p.depth.drcn",),
            "drrn_b1u9": ("p.b1u9.depth", "p.days.depth", "p.speed.depth", "f9.depth.b1u9", "f9.b1u9.depth"),
            "drrn_b1u25": (
                *("p.depth.max", "p.depth.trained", "p.b1u25.depth", "f1.b1u25.depth"),
                *("f9.depth.b1u25", "f9.b1u25.depth"),
            ),
            "drrn_b2u3": ("f6.b2u3.depth",),
            "drrn_b3u2": ("f6.b3u2.depth",),
            "drrn_b3u8": ("f6.b3u8.depth",),
            "drrn_b17u1": ("f6.extreme.depth",),
            "drrn_ns_b3u2": ("f8.depth.b3u2",),
            "drrn_ns_b3u3": ("f8.depth.b3u3",),
            "drrn_ns_b3u4": ("f8.depth.b3u4",),
        }.items()
        for home in homes
    },
    "drrn.f1.layers.star": lambda: max(depth(name)() for name in ("vdsr", "drcn", "drrn_b1u9")),
    "drrn.f9.depth.very_deep": lambda: min(depth(name)() for name in ("vdsr", "drcn", "drrn_b1u9", "drrn_b1u25")),
    "drrn.f9.years": lambda: printed("drrn.f9.years.last") - printed("drrn.f9.years.first") + 1,
    "drrn.f2.depth": lambda: _depth_of(1, 2),
    "drrn.f2.drcn.middle": lambda: printed("drrn.f2.depth") - 2,
    "drrn.f6.depth.least": lambda: min(_depth_of(B, U) for B, U in GRID),
    "drrn.f6.depth.most": lambda: max(_depth_of(B, U) for B, U in GRID),
    "drrn.p.depth.formula.first": lambda: _depth_of(2, 0) - _depth_of(1, 0),
    "drrn.p.depth.formula.unit": lambda: _depth_of(1, 2) - _depth_of(1, 1),
    "drrn.p.depth.formula.last": lambda: 2 * _depth_of(1, 1) - _depth_of(2, 1),
    "drrn.p.field.vdsr": lambda: 2 * net("vdsr").radius + 1,
    "drrn.p.field.srcnn": lambda: 2 * net("srcnn_915").radius + 1,
    # weights
    **{
        f"drrn.{home}.{name}.params": size(f"drrn_{name}")
        for home, names in {
            "p": ("b1u9", "b1u25"),
            "f6": ("b1u25", "b17u1", "b3u8", "b2u3", "b3u2"),
            "f9": ("b1u9", "b1u25"),
        }.items()
        for name in names
    },
    "drrn.p.ratio.vdsr": ratio(size("vdsr"), size("drrn_b1u25")),
    "drrn.p.ratio.drcn": ratio(size("drcn"), size("drrn_b1u25")),
    "drrn.p.ratio.red30": ratio(lambda: params(meta_model(lambda: RED30[0](**RED30[1]))), size("drrn_b1u25")),
    # structure
    "drrn.f1.b1u9.blocks": lambda: len(net("drrn_b1u9").blocks),
    "drrn.f1.b1u9.units": lambda: len(net("drrn_b1u9").blocks[0].norms_1),
    "drrn.f6.b1u25.units": lambda: len(net("drrn_b1u25").blocks[0].norms_1),
    "drrn.f6.b17u1.blocks": lambda: len(net("drrn_b17u1").blocks),
    "drrn.p.grl": _identities,
    "drrn.p.special_case.units": _special_case,
    **{f"drrn.p.recursions.drcn{at}": lambda: len(net("drcn").w) for at in ("", ".intro", ".novelty", ".shared")},
    "drrn.p.kernel.vdsr": lambda: net("vdsr").convs[0].kernel_size[0],
    "drrn.p.kernel": lambda: net("drrn_b1u25").reconstruction.kernel_size[0],
    "drrn.p.filters": lambda: net("drrn_b1u25").blocks[0].conv.out_channels,
    "drrn.f8.kernel": lambda: net("vdsr_bn_d28_w128").convs[1].kernel_size[0],
    "drrn.f8.filters": lambda: net("vdsr_bn_d28_w128").convs[1].out_channels,
    "drrn.f6.fixed": lambda: _fixed(extreme=False)[0][0],
    "drrn.f6.from": lambda: _fixed(extreme=False)[1][1][0],
    "drrn.f6.to": lambda: _fixed(extreme=False)[1][1][-1],
    "drrn.f6.extreme.fixed": lambda: _fixed(extreme=True)[0][0],
    # gains, of printed numbers
    "drrn.f1.gain.vdsr": gain(_SET5["drrn_b1u25"], _SET5["vdsr"]),
    "drrn.f1.gain.drcn": gain(_SET5["drrn_b1u25"], _SET5["drcn"]),
    **{f"drrn.t2.gain.x{scale}": gain(*names) for scale, names in _URBAN.items()},
    # data and training
    **{f"drrn.p.images.{name.lower()}": images(name) for name in ("T91", "BSDS200", "Set5", "Set14", "BSD100", "Urban100")},
    **{f"drrn.{home}": images("T91", "BSDS200") for home in ("p.images", "p.images.augmented", "f8.images")},
    **{f"drrn.p.rotation.{k}": lambda k=k: angles(PUBLISHED.transforms)[k - 1] for k in (1, 2, 3)},
    "drrn.p.augmented": lambda: len(set(PUBLISHED.transforms)) - 1,
    **{f"drrn.p.scale.{k}": lambda k=k: PUBLISHED.scales[k - 2] for k in (2, 3, 4)},
    **{f"drrn.p.{name}": lambda name=name: getattr(PUBLISHED, name) for name in ("patch", "stride", "batch", "lr", "clip")},
    **{f"drrn.p.{name}": lambda name=name: getattr(PUBLISHED, name) for name in ("momentum", "weight_decay")},
    "drrn.p.loss.half": lambda: 1 / PUBLISHED.loss_factor,
    "drrn.p.decay": lambda: PUBLISHED.decay,
    "drrn.p.decay.epochs": lambda: PUBLISHED.decay_every / EPOCH,
}


def _pairs_of_berkeley() -> int:
    """Number of training pairs that the two hundred Berkeley images alone give at the printed patch and stride."""
    pairs = 0
    for scale in PUBLISHED.scales:
        rows, columns = (
            (n // scale * scale - int(printed("drrn.p.patch"))) // int(printed("drrn.p.stride")) + 1 for n in BERKELEY
        )
        pairs += rows * columns
    return pairs * len(PUBLISHED.transforms) * DATASETS["BSDS200"].count


def _words(identifier: str) -> str:
    """The words that a contradiction quotes."""
    return next(contradiction.printed for contradiction in contradictions("drrn") if contradiction.id == identifier)


def _nesting(formula: str, sign: str) -> int:
    """Number of open parentheses at the last occurrence of `sign`."""
    prefix = formula[: formula.rindex(sign)]
    return prefix.count("(") - prefix.count(")")


_EQUATION_9 = r"f_{Rec}(\mathcal{R}_B(\mathcal{R}_{B-1}(\dots(\mathcal{R}_1(\mathbf{x}))\dots))) + \mathbf{x}"

# Whether a contradiction of `contradictions.csv` still holds, for those that a computation shows.
HOLDS: dict[str, Callable[[], bool]] = {
    "drrn.784k": lambda: round(size("drrn_b2u3")() / 1000) == 740 != printed("drrn.f6.b2u3.params") / 1000,
    "drrn.stride": lambda: _pairs_of_berkeley() > EPOCH * PUBLISHED.batch,
    "drrn.table4.header": lambda: printed("drrn.t4.drrn_c") != printed("drrn.t4.drrn_ns_c"),
    "drrn.srcnn_field": lambda: (
        2 * net("srcnn_915").radius + 1 == printed("drrn.p.field.srcnn") == 13
        and 2 * net("srcnn_955").radius + 1 == 17
        and (size("srcnn_915")(), size("srcnn_955")()) == (8_032, 57_184)
    ),
    "drrn.special_case": lambda: params_total(meta_model(lambda: DRRN(19, 0, width=64))) != params_total(net("vdsr")),
    "drrn.fewer_parameters": lambda: size("drrn_b1u25")() > size("srcnn_955")() == 57_184 > size("srcnn_915")() == 8_032,
    "drrn.more_than_30": lambda: printed("drrn.p.depth.red30") <= printed("drrn.f1.layers.circle"),
    "drrn.small_fraction": lambda: (
        size("drrn_b3u2")() > 0.5 * size("drrn_ns_b3u2")() and size("drrn_b3u4")() > 0.3 * size("drrn_ns_b3u4")()
    ),
    "drrn.table1.drrn": lambda: _nesting(_words("drrn.table1.drrn"), "+") != _nesting(_EQUATION_9, "+"),
    "drrn.table1.vdsr": lambda: _words("drrn.table1.vdsr").count("(") > _words("drrn.table1.vdsr").count(")"),
}
