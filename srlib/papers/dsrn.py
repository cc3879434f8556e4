"""DSRN's experiments: Section 5 as data, with every reading at its line.

One model for each scale. The released code is the challenge's variant (RGB, other links, Adam) and so settles little here; its
checkpoints lend only their numbers of iterations. The `fast` recipe keeps architecture, data, patches and loss, and replaces
optimiser and schedule; `core` is the same in the small batches of smaller patches that one processor core wants. `adam` is what
`fast` was compared with, and no claim is judged by it.
"""

from dataclasses import replace

from srlib import models
from srlib.papers.variants import standin, with_adam
from srlib.training.recipe import Experiment, Recipe

SCALES = (2, 3, 4)
UNROLLINGS = (1, 2, 3, 5, 7, 9)  # Figure 3, whose values are in the image only; 7 is the paper's model
ITERATIONS = {2: 1_102_100, 3: 754_300, 4: 761_010}  # names of the released checkpoints; the text gives no number
PROTOCOLS = ("lapsrn", "drrn")  # that of nearly all rows of Table 1, and that of its row for DRRN
SIZES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)  # "random scaling by a factor from"


def published(scale: int) -> Recipe:
    """The recipe of Section 5.2 for one scale."""
    # "128 x 128" is read as HR, and cropped to a multiple of the scale: 128, 126, 128. 84 of T91's images hold a patch of 128,
    # and 19 do when reduced to half.
    patch = 128 // scale * scale
    return Recipe(
        "published",
        optimiser="sgd",
        lr=0.1,  # the first of the three searched, {0.1, 0.03, 0.01}; the text does not say which won
        iterations=ITERATIONS[scale],
        batch=16,
        patch=patch,
        stride=patch // (4 * scale) * scale,  # 32, 30, 32: the paper draws positions freely, we from this lattice
        scales=(scale,),
        decay=0.1,  # "reduce it by a factor of 10 three times"
        decay_every=-(-ITERATIONS[scale] // 4),  # at equal quarters: the validation set that decides in the paper is not named
        momentum=0.95,
        clip=0.5,
        clip_by="value",  # as the released code; the text says "gradient clipping at 0.5"
        # Eq. 6, half the squares; "the MSE loss" is read as a mean over pixels. Their sum would exceed the clip in six of ten
        # elements of an untrained x3 network's gradient, the mean in none.
        pixel_mean=True,
        sizes=SIZES,
    )


def fast(scale: int) -> Recipe:
    """The `published` recipe with Muon, cosine to zero and averaged weights."""
    return replace(
        published(scale),
        name="fast",
        optimiser="muon",
        lr=0.02,
        adam_lr=5e-4,
        iterations=80_000,
        decay=0.5,
        decay_every=0,  # cosine
        warmup=0.02,
        momentum=0.9,
        clip=1.0,  # of the whole gradient, which starts at about a thousandth of it: for accidents only
        clip_by="norm",
        ema=0.999,
        last_gain=0.01,  # the network starts near bicubic interpolation
    )


def core(scale: int) -> Recipe:
    """The `fast` recipe with smaller batches and patches, for one processor core."""
    return replace(fast(scale), name="core", iterations=20_000, batch=4, patch=48, stride=24)


def _experiment(name: str) -> Experiment:
    architecture, arguments = models.PUBLISHED[name]
    recipes = tuple(recipe(arguments["scale"]) for recipe in (published, fast, core))
    return Experiment(name, "dsrn", architecture, arguments, "T91", recipes, protocols=PROTOCOLS)


def _div2k(variant: str, name: str, scale: int) -> Experiment:
    architecture, arguments = models.PUBLISHED[name]
    recipes = (replace(recipe(scale), sizes=(1.0,)) for recipe in (published, fast, core))  # "except random scaling"
    name = f"dsrn_div2k{variant}_x{scale}"
    challenge = {"degradation": "div2k_rgb", "protocols": ("div2k_rgb",)}
    return Experiment(name, "dsrn", architecture, arguments, "DIV2K", tuple(recipes), **challenge)


# Table 1, Figure 3, and Section 5.3's "better than output from the last state only".
BENCHMARKS = tuple(
    _experiment(name)
    for name in (
        *(f"dsrn_t{T}_x2" for T in UNROLLINGS),
        *("dsrn_t7_x3", "dsrn_t7_x4"),
        *(f"dsrn_last_state_x{scale}" for scale in SCALES),
        "dsrn_kernel3_x4",
    )
)
# Table 2: the model, weights of each step's own, no way back from HR to LR, and one state on the interpolated image.
ABLATION = tuple(
    _div2k(variant, name, scale)
    for scale in SCALES
    for variant, name in (
        ("", f"dsrn_t7_x{scale}"),
        ("_untied", f"dsrn_untied_x{scale}"),
        ("_no_feedback", f"dsrn_no_feedback_x{scale}"),
        ("_single_state", "dsrn_single_state"),
    )
)
# For a CPU: small batches, and patches of which nearly all of T91 holds some.
_PROFILE = replace(fast(3), adam_lr=2e-3, iterations=12_000, batch=8, patch=48, stride=24, sizes=(1.0,))
CPU_PROFILE = replace(
    _experiment("dsrn_t7_x3"), name="dsrn_t3_x3_w32", arguments={"scale": 3, "T": 3, "width": 32}, recipes=with_adam(_PROFILE)
)
EXPERIMENTS = (*BENCHMARKS, *ABLATION, *(standin(experiment) for experiment in ABLATION), CPU_PROFILE)
