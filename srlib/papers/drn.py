"""DRN's experiments: Section 3 as data, with every reading at its line.

The paper counts in epochs and never says of how many iterations. Rate, halving, patches, batch, loss and Adam's constants are
the defaults of EDSR's PyTorch code, where an epoch is 1,000 iterations; so it is here. That is an inference. The `fast` recipe
keeps architecture, data, patches and loss, and replaces optimiser and schedule; `core` is the same in the small batches of
smaller patches that one processor core wants. `adam` is what `fast` was compared with, and no claim is judged by it.
"""

from dataclasses import replace

from srlib import models
from srlib.papers.variants import standin, with_adam
from srlib.training.recipe import Experiment, Recipe

EPOCH = 1_000  # iterations: see above
SCALES = (2, 3, 4)
DEGRADATION = "rgb_floaty"  # 8-bit RGB images at LR, as DIV2K's own are
PROTOCOLS = ("rgb_floaty", "lapsrn")  # the paper does not say how its own rows are scored, so both stand side by side


def published(scale: int, iterations: int) -> Recipe:
    """The recipe of Sections 2.5, 3.1 and 3.2 for one scale."""
    return Recipe(
        "published",
        optimiser="adam",
        lr=1e-4,
        iterations=iterations,
        batch=16,
        patch=48 * scale,  # "the size of the input image is 48 x 48": at LR
        stride=12 * scale,  # the lineage draws positions freely, we from this lattice
        scales=(scale,),
        decay_every=200 * EPOCH,  # "halve at each 200 epochs"
        # Eq. 16 has 1/N over samples; a sum over pixels would only scale it, which Adam does not feel.
        loss="absolute",
        loss_factor=1.0,
        pixel_mean=True,
    )


def fast(scale: int, iterations: int) -> Recipe:
    """The `published` recipe with Muon, cosine to zero and averaged weights."""
    muon = {"optimiser": "muon", "lr": 0.01, "adam_lr": 4e-4}
    return replace(published(scale, iterations), name="fast", decay_every=0, warmup=0.02, ema=0.999, **muon)


def core(scale: int, iterations: int) -> Recipe:
    """The `fast` recipe with smaller batches and patches, for one processor core."""
    return replace(fast(scale, iterations), name="core", batch=4, patch=24 * scale, stride=12 * scale)


def _experiment(name: str, model: str, epochs: int, fast_iterations: int, loss: str = "absolute") -> Experiment:
    architecture, arguments = models.PUBLISHED[model]
    scale = arguments["scale"]
    recipes = (published(scale, epochs * EPOCH), fast(scale, fast_iterations), core(scale, fast_iterations))
    recipes = tuple(replace(recipe, loss=loss, epochs=epochs) for recipe in recipes)
    return Experiment(name, "drn", architecture, arguments, "DIV2K", recipes, DEGRADATION, PROTOCOLS)


DIV2K = (
    *(_experiment(f"drn_x{scale}", f"drn_x{scale}", 800, 120_000) for scale in SCALES),  # Table 3
    *(_experiment(f"drn_plus_x{scale}", f"drn_plus_x{scale}", 300, 30_000) for scale in SCALES),  # ten times the work
    _experiment("drn_mse_x3", "drn_x3", 800, 120_000, "squared"),  # the comparison of Section 2.5, whose figure is missing
    # Table 2, "at 100th epoch": before the first halving, so the rate is constant.
    _experiment("drn_x3_epoch100", "drn_x3", 100, 60_000),
    _experiment("drn_plain_x3", "drn_plain_x3", 100, 60_000),
    _experiment("drn_plus_x3_epoch100", "drn_plus_x3", 100, 60_000),
)
# For a CPU: few filters and blocks, small batches, and patches of which nearly all of T91 holds some.
_PROFILE = replace(fast(3, 12_000), adam_lr=2e-3, batch=8, patch=72, stride=24)
CPU_PROFILE = replace(  # of drn_x3
    DIV2K[1], name="drn_x3_c32_g2_k3", arguments={"scale": 3, "C": 32, "G": 2, "K": 3}, data="T91", recipes=with_adam(_PROFILE)
)
EXPERIMENTS = (*DIV2K, *(standin(experiment) for experiment in DIV2K), CPU_PROFILE)
