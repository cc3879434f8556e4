"""DRRN's experiments: Section 4.2 as data, with every departure from the paper at its line.

The published recipe follows the text and, where the text is silent, the released solver. The `fast` recipe keeps architecture,
data and loss, and replaces optimiser, schedule, batch and what goes with them; `core` is the same in the small batches that one
processor core wants. `adam`, `dark`, `patch31` and `first` are what `fast` was compared with, and no claim is judged by them.
Every number says which recipe made it.
"""

import re
from dataclasses import replace

from srlib import models
from srlib.errors import InputError
from srlib.training.recipe import Experiment, Recipe

PUBLISHED = Recipe(
    "published",
    optimiser="sgd",
    lr=0.1,
    iterations=464_056,  # 71 "epochs" of 6,536: the released B1U9 snapshot; the text gives no number
    batch=128,
    patch=31,
    stride=21,  # the text; the released solver's 6,536 iterations an epoch imply 31
    scales=(2, 3, 4),
    decay_every=65_360,  # "half every 10 epochs"
    momentum=0.9,
    weight_decay=1e-4,
    bias_lr=0.1,  # released network definition
    clip=0.01,  # theta; by norm, as the released code does, though the text speaks of each element
    clip_over_lr=True,
)  # the loss is Eq. 10, half the sum of squares: `Recipe`'s own
FAST = Recipe(
    "fast",
    optimiser="muon",
    lr=0.02,
    adam_lr=1e-3,
    iterations=160_000,
    batch=16,
    # Four times the paper's area, and a quarter of the patches. With Muon and patches of 31 pixels, which zero padding reaches
    # from all sides, a recursion of 25 units is stable at that size alone, and explodes on images.
    patch=62,
    stride=42,
    scales=(2, 3, 4),
    warmup=0.02,
    clip=10.0,
    ema=0.999,
    bn_momentum=0.01,  # 0.001 needs longer runs than these
    last_gain=0.01,  # the network starts at bicubic interpolation
    first_shift=3.0,  # the network starts with its eyes open: see `srlib.models.drrn`
)
CORE = replace(FAST, name="core", iterations=40_000, batch=4)
# For a CPU: one scale, small batches. 3,000 iterations of a 16-filter B1U9 take three minutes of one core with bf16.
FAST_NARROW = replace(FAST, adam_lr=3e-3, iterations=20_000, batch=4, scales=(3,))
PATCH_31 = replace(FAST_NARROW, name="patch31", batch=16, patch=31, stride=21)
ADAM = replace(FAST_NARROW, name="adam", optimiser="adam", lr=3e-3, adam_lr=0.0)
DARK = replace(ADAM, name="dark", first_shift=0.0)
# The first `fast`, and the runs of the first trainer: fp32, one lattice for all transforms.
FIRST = replace(DARK, name="first", batch=16, patch=31, stride=21)
NARROW = (FAST_NARROW, ADAM, DARK, PATCH_31, FIRST)

# Figure 6: B or U fixed to 3, and three structures of 52 layers.
GRID = ((1, 3), (2, 3), (3, 3), (4, 3), (3, 1), (3, 2), (3, 4), (1, 25), (17, 1), (3, 8), (1, 9))
# Figure 8 and Table 4, but for DRRN itself, which the grid has; and Table 3's VDSR, "our re-implementation".
COMPONENTS = (
    *(f"drrn_{structure}_b3u{U}" for structure in ("ns", "c", "ns_c") for U in (2, 3, 4)),
    *("vdsr_bn_d16_w128", "vdsr_bn_d22_w128", "vdsr_bn_d28_w128", "vdsr_bn"),
)


def experiment(B: int, U: int, width: int = 128) -> Experiment:
    """DRRN_BxUy as the paper trains it, or, below 128 filters, a narrow variant trained on T91 for x3 alone."""
    if B < 1 or U < 0 or width < 1:
        raise InputError(f"There is no DRRN with B = {B}, U = {U} and {width} filters: B and filters start at 1, U at 0.")
    if width == 128:
        published = replace(PUBLISHED, iterations=660_136) if (B, U) == (1, 25) else PUBLISHED  # released snapshot 101
        return Experiment(f"drrn_b{B}u{U}", "drrn", "drrn", {"B": B, "U": U}, "T291", (published, FAST, CORE))
    arguments = {"B": B, "U": U, "width": width}
    return Experiment(f"drrn_b{B}u{U}_w{width}", "drrn", "drrn", arguments, "T91", NARROW)


def parse(name: str) -> Experiment | None:
    """The experiment with a name like `drrn_b1u9` or `drrn_b2u3_w32`; `None` for other names."""
    match = re.fullmatch(r"drrn_b([1-9]\d*)u(\d+)(?:_w([1-9]\d*))?", name)
    return experiment(*(int(number) for number in match.groups(default="128"))) if match else None


def _component(name: str) -> Experiment:
    architecture, arguments = models.PUBLISHED[name]
    return Experiment(name, "drrn", architecture, arguments, "T291", (PUBLISHED, FAST, CORE))


# What a CPU trains within the hour.
CPU_PROFILE = replace(experiment(1, 3, width=32), recipes=tuple(replace(r, iterations=12_000) for r in (FAST_NARROW, FIRST)))
EXPERIMENTS = (*(experiment(B, U) for B, U in GRID), *(_component(name) for name in COMPONENTS), CPU_PROFILE)
