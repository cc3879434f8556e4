"""Claims of order ("deeper is still better") and the comparisons that decide them.

Each is a row of kind `order` in `<paper>.csv`. Most are decided by pairs of experiments, the better one first: their scores are
compared at equal recipe, length and data, on the sets and scales that the sentence names. Narrow forms (`variants`)
are compared, too, apart from networks of the paper's size. Some claims need no training: they are counted on the networks. All
other claims (how a picture looks, how other people's methods rank) are not comparable.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

from srlib.models import MODELS, meta_model, params

BETTER, ALIKE, NOT_WORSE, NOT_BETTER = "better", "alike", "not worse", "not better"


@dataclass(frozen=True)
class Order:
    """The comparisons, or the count, that decide one claim of order."""

    pairs: tuple[tuple[str, str], ...] = ()  # experiments, the better one first; 'bicubic' needs no training
    relation: str = BETTER  # of each pair's first to its second
    holds: Callable[[], bool] | None = None  # for a claim without pairs: a count on the networks
    datasets: tuple[str, ...] = ("Set5",)  # named in the sentence; Set5 where it names none
    scales: tuple[int, ...] = ()  # named in the sentence; empty: 3, or the networks' first
    metric: str = "psnr"
    limits: str = ""  # the part of the sentence that the pairs leave out, in words


def _weights(name: str) -> int:
    return params(meta_model(MODELS[name]))


def _chain(*names: str) -> tuple[tuple[str, str], ...]:
    """Pairs of which each name is better than the one before it."""
    return tuple((after, before) for before, after in pairwise(names))


def _at_scales(better: str, worse: str) -> tuple[tuple[str, str], ...]:
    return tuple((better.format(scale), worse.format(scale)) for scale in (2, 3, 4))


def _at_depths(better: str, worse: str) -> tuple[tuple[str, str], ...]:
    """Pairs at Figure 8's three depths: `U` units, or for VDSR `d` layers."""
    return tuple((better.format(U=U, d=d), worse.format(U=U, d=d)) for U, d in ((2, 16), (3, 22), (4, 28)))


_ALL = {"datasets": ("Set5", "Set14", "BSD100", "Urban100"), "scales": (2, 3, 4)}
_DIV2K = {"datasets": ("DIV2K_valid",)}
_BASELINES = "VDSR, DRCN and SRCNN stand for all methods compared, for no other is trained here."
_RECURSIONS = Order((("drrn_b1u25", "drrn_b1u9"),))
_B1U9 = Order((("drrn_b1u9", "vdsr"), ("drrn_b1u9", "drcn")))
_B1U25_PAIRS = (("drrn_b1u25", "vdsr"), ("drrn_b1u25", "drcn"), ("drrn_b1u25", "srcnn_955"))
_B1U25 = Order(_B1U25_PAIRS, limits=_BASELINES)
_DEEP = Order(
    (("vdsr", "srcnn_955"), ("drcn", "srcnn_955")),
    limits="Any lead counts as one by a large margin. SRCNN stands for all others; RED30 is not trained here.",
)
_TWO_STATES = _at_scales("dsrn_div2k_no_feedback_x{}", "dsrn_div2k_single_state_x{}")
_FEEDBACK = _at_scales("dsrn_div2k_x{}", "dsrn_div2k_no_feedback_x{}")
_RLCSC = Order((("rlcsc_k25", "drrn_b1u25"),), limits="By PSNR, and against DRRN alone: MemNet is not trained here.", **_ALL)

ORDERS: dict[str, Order] = {
    "drrn.f1.order.b1u9": _B1U9,
    "drrn.f1.order.b1u25": _RECURSIONS,
    "drrn.f1.order.best": _B1U25,
    "drrn.p.order.three_models": _DEEP,
    "drrn.p.order.deeper_is_better": _DEEP,
    "drrn.p.order.fewer_parameters": Order(
        _B1U25_PAIRS[:2],
        limits="That it has fewer parameters is a count, and holds. RED30 is left out: it is not trained here.",
    ),
    "drrn.p.order.depth_is_free": _RECURSIONS,
    "drrn.f6.order.units_are_free": Order(holds=lambda: len({_weights(f"drrn_b3u{U}") for U in (1, 2, 3, 4)}) == 1),
    "drrn.f6.order.blocks_are_linear": Order(
        holds=lambda: len({_weights(f"drrn_b{B + 1}u3") - _weights(f"drrn_b{B}u3") for B in (1, 2, 3)}) == 1
    ),
    "drrn.f6.order.deeper": Order(
        _chain("drrn_b1u3", "drrn_b2u3", "drrn_b3u3", "drrn_b4u3") + _chain("drrn_b3u1", "drrn_b3u2", "drrn_b3u3", "drrn_b3u4")
    ),
    "drrn.f6.order.same_depth": Order((("drrn_b2u3", "drrn_b3u2"), ("drrn_b4u3", "drrn_b3u4")), ALIKE),
    "drrn.f6.order.three_alike": Order(
        (("drrn_b17u1", "drrn_b3u8"), ("drrn_b1u25", "drrn_b3u8"), ("drrn_b17u1", "drrn_b1u25")), ALIKE
    ),
    "drrn.f6.order.beats_shallow": Order(
        tuple((name, other) for name in ("drrn_b17u1", "drrn_b3u8", "drrn_b1u25") for other in ("vdsr", "srcnn_955"))
    ),
    "drrn.f6.order.b1u25": _B1U25,
    "drrn.p.order.b1u9_fewer": Order(holds=lambda: _weights("drrn_b1u9") < min(map(_weights, ("vdsr", "drcn")))),
    "drrn.t2.order.best": Order(
        (*_B1U9.pairs, ("drrn_b1u9", "srcnn_955"), *_B1U25_PAIRS), limits=f"By PSNR. {_BASELINES}", **_ALL
    ),
    "drrn.t3.order.vdsr_bn": Order((("vdsr_bn", "vdsr"),), ALIKE, limits="On Set5 alone."),
    "drrn.t3.order.best": Order(
        (("drrn_b1u9", "vdsr_bn"), ("drrn_b1u25", "vdsr_bn")),
        datasets=("Set5", "Set14", "Urban100"),
        scales=(2, 3, 4),
        metric="ifc",
        limits="VDSR with normalisation stands for all methods compared, for it is what the paper ran itself.",
    ),
    "drrn.f8.order.same_size": Order(
        holds=lambda: all(_weights(f"drrn_ns_b3u{U}") == _weights(f"vdsr_bn_d{d}_w128") for U, d in ((2, 16), (3, 22), (4, 28)))
    ),
    "drrn.f8.order.local_residuals": Order(_at_depths("drrn_ns_b3u{U}", "vdsr_bn_d{d}_w128")),
    "drrn.f8.order.recursive": Order(_at_depths("drrn_b3u{U}", "drrn_ns_b3u{U}"), NOT_WORSE),
    "drrn.f8.order.multi_path": Order(
        _at_depths("drrn_b3u{U}", "drrn_c_b3u{U}") + _at_depths("drrn_ns_b3u{U}", "drrn_ns_c_b3u{U}")
    ),
    "drrn.t4.order.parts": Order(tuple((f"drrn_{name}b3u4", "vdsr_bn_d28_w128") for name in ("ns_c_", "ns_", "c_", ""))),
    "drrn.f9.order.deep": replace(_DEEP, datasets=("Set5", "Set14")),
    "drrn.f9.order.b1u9": replace(_B1U9, datasets=("Set5", "Set14")),
    "drrn.f9.order.b1u25": replace(_RECURSIONS, datasets=("Set5", "Set14")),
    "dsrn.p.order.parameters_independent": Order(holds=lambda: len({_weights(f"dsrn_t{T}_x2") for T in (1, 3, 7, 9)}) == 1),
    "dsrn.f3.order.longer": Order(_chain("dsrn_t1_x2", "dsrn_t2_x2", "dsrn_t3_x2", "dsrn_t5_x2", "dsrn_t7_x2")),
    "dsrn.f3.order.diminishes": Order((("dsrn_t9_x2", "dsrn_t7_x2"),), NOT_BETTER),
    "dsrn.t2.order.sharing": Order(
        _at_scales("dsrn_div2k_x{}", "dsrn_div2k_untied_x{}"), limits="Any lead counts as one by much.", **_DIV2K
    ),
    "dsrn.t2.order.two_states": Order(_TWO_STATES, **_DIV2K),
    "dsrn.t2.order.feedback": Order(_FEEDBACK, **_DIV2K),
    "dsrn.t2.order.both": Order(_TWO_STATES + _FEEDBACK, **_DIV2K),
    "dsrn.p.order.last_state": Order(_at_scales("dsrn_t7_x{}", "dsrn_last_state_x{}")),
    "rlcsc.p.order.abstract": _RLCSC,
    "rlcsc.t1.order.best": _RLCSC,
    "rlcsc.t2.order.best": replace(
        _RLCSC,
        datasets=("Set5", "Set14", "Urban100"),
        metric="ifc",
        limits="Against DRRN alone: no other of the methods is trained here.",
    ),
    "rlcsc.f1.order.recursions": Order((("rlcsc_k48", "rlcsc_k25"),)),
    "rlcsc.f7.order.deeper": Order(_chain("rlcsc_k15", "rlcsc_k20", "rlcsc_k25", "rlcsc_k48")),
    "rlcsc.t3.order.faster": Order(
        tuple((f"rlcsc_k25_epoch{e}", f"rlcsc_k25_no_residual_epoch{e}") for e in (1, 5, 10)),
        limits="By the PSNR after 1, 5 and 10 of 35 epochs.",
    ),
    "rlcsc.t3.order.converge": Order(
        (("bicubic", "rlcsc_k25_no_residual"),),
        limits="Converged is what ends above bicubic interpolation. The sentence is about the paper's own recipe.",
    ),
    "rlcsc.f8.order.filters": Order((("rlcsc_k15", "rlcsc_k15_m128"),)),
    "rlcsc.f8.order.vdsr": Order((("rlcsc_k15_m128", "vdsr"),)),
    "rlcsc.t4.order.parameters": Order(holds=lambda: _weights("rlcsc_k25") > _weights("drrn_b1u25")),
    "drn.t2.order.rdbs": Order((("drn_x3_epoch100", "drn_plain_x3"), ("drn_plus_x3_epoch100", "drn_x3_epoch100"))),
}
