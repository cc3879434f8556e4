"""The declared experiments against the papers' sections on training, and against the models; what a recipe costs."""

import math
from collections import Counter
from dataclasses import replace

import pytest

from srlib.models import MODELS, PUBLISHED, meta_model, params_total
from srlib.papers import EXPERIMENTS, baselines, claims, drn, drrn, dsrn, get_experiment, rlcsc
from srlib.papers.variants import STANDIN_DATA, STANDIN_SUFFIX
from srlib.protocol import PROTOCOLS
from srlib.training.recipe import REFLECTIONS, ROTATIONS, operations

MODULES = {"drrn": drrn, "dsrn": dsrn, "rlcsc": rlcsc, "drn": drn, "baselines": baselines}
CPU_PROFILES = [module.CPU_PROFILE.name for module in (drrn, dsrn, rlcsc, drn)]
every = pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)


def published(paper):
    """The published recipes of the experiments that a paper's own tables and figures ask for, by name."""
    own = [e for e in MODULES[paper].EXPERIMENTS if not e.name.endswith(STANDIN_SUFFIX) and e.name not in CPU_PROFILES]
    return {e.name: e.recipe("published") for e in own}


def names(paper):
    return set(published(paper))


def rates(recipe, *iterations):
    """Rates of an unshortened run at these iterations."""
    return [recipe.lr_at(iteration, recipe.iterations) for iteration in iterations]


def drops(recipe):
    """How often a rate that falls in steps does so before the run ends."""
    first, last = rates(recipe, 0, recipe.iterations - 1)
    return round(math.log(last / first, recipe.decay), 3)


def test_names_are_unique():
    """Identity: no module's experiment hides another's, and each knows its paper."""
    declared = Counter(e.name for module in MODULES.values() for e in module.EXPERIMENTS)
    assert max(declared.values()) == 1
    assert list(declared) == list(EXPERIMENTS)
    assert all(e.paper == paper for paper, module in MODULES.items() for e in module.EXPERIMENTS)


def test_drrn_has_its_grid_and_its_components():
    """Witness: Figure 6's eleven; Figure 8's five structures at three depths, DRRN's own in the grid; Table 3's VDSR: 24."""
    grid = {f"drrn_b{B}u{U}" for B, U in drrn.GRID}
    figure_8 = {f"drrn_{name}b3u{U}" for name in ("", "ns_", "c_", "ns_c_") for U in (2, 3, 4)}
    figure_8 |= {f"vdsr_bn_d{depth}_w128" for depth in (16, 22, 28)}
    assert (len(grid), len(figure_8), len(grid & figure_8)) == (11, 15, 3)
    assert names("drrn") == grid | figure_8 | {"vdsr_bn"}
    assert len(names("drrn")) == 24


def test_dsrn_has_its_tables_and_its_figure():
    """Witness: Table 1's three models, Figure 3's six lengths, Section 5.3's last state; Table 2's four rows x 3 scales; and
    one of ours, with the kernels of 3 that the text has at x4, too."""
    table_1, table_2 = set(), set()
    for scale in (2, 3, 4):
        table_1 |= {f"dsrn_t7_x{scale}", f"dsrn_last_state_x{scale}"}
        table_2 |= {f"dsrn_div2k{row}_x{scale}" for row in ("", "_untied", "_no_feedback", "_single_state")}
    assert names("dsrn") == table_1 | table_2 | {f"dsrn_t{T}_x2" for T in (1, 2, 3, 5, 7, 9)} | {"dsrn_kernel3_x4"}
    assert {EXPERIMENTS[name].data for name in table_2} == {"DIV2K"}
    assert {EXPERIMENTS[name].data for name in names("dsrn") - table_2} == {"T91"}


def test_rlcsc_and_drn_have_their_tables():
    """Witness: RL-CSC's Figures 7 and 8 and Table 3: six. DRN's Table 3 (two models, three scales), MSE, and Table 2: ten."""
    assert names("rlcsc") == {*(f"rlcsc_k{K}" for K in (15, 20, 25, 48)), "rlcsc_k15_m128", "rlcsc_k25_no_residual"}
    table_3 = {f"drn{plus}_x{scale}" for plus in ("", "_plus") for scale in (2, 3, 4)}
    assert names("drn") == table_3 | {"drn_mse_x3", "drn_x3_epoch100", "drn_plain_x3", "drn_plus_x3_epoch100"}


def test_every_published_variant_is_trained_somewhere():
    """Identity: each network that a table or figure needs (`models.PUBLISHED`) belongs to an experiment."""
    trained = [(e.model, e.arguments) for e in EXPERIMENTS.values()]
    assert [name for name, variant in PUBLISHED.items() if variant not in trained] == []


def test_claims_about_drrn_name_experiments():
    """Witness: the transcription: what DRRN measured has an experiment with the published recipe."""
    measured = {c.experiment for c in claims("drrn") if c.kind == "measured"}
    assert all(get_experiment(name).recipe("published") for name in measured)


@every
def test_networks_are_the_models_of_the_same_name(experiment):
    """Identity: as many parameters as `MODELS` has under this name; every name builds, and knows its scale."""
    model = meta_model(experiment.make)
    if experiment.name in MODELS:
        assert params_total(model) == params_total(meta_model(MODELS[experiment.name]))
    for recipe in experiment.recipes:
        assert recipe.scales == ((model.scale,) if model.scale else recipe.scales)
        if "lr" in model.domain.split("+"):
            assert recipe.patch % model.scale == recipe.stride % model.scale == 0


@every
def test_protocols_and_recipes_are_known(experiment):
    """Identity: protocols exist; a published recipe where a paper trains this network so, trial ones on narrow ones."""
    assert {experiment.degradation, *experiment.protocols} <= PROTOCOLS.keys()
    recipes = ["published", "fast", "core"]
    if experiment.name in CPU_PROFILES:
        recipes = ["fast", "first" if experiment.paper == "drrn" else "adam"]
    elif experiment.paper == "baselines":
        recipes = ["fast", "core"]
    assert [r.name for r in experiment.recipes] == recipes
    assert "published" not in recipes or experiment.data in {"T91", "T291", "DIV2K", STANDIN_DATA}


@every
def test_rates_are_positive_and_recipes_sound(experiment):
    """Identity: a rate above zero to the last iteration, at most the recipe's, whole or a tenth of the run; known choices."""
    for recipe in experiment.recipes:
        for total in (recipe.iterations, recipe.iterations // 10):
            for iteration in (0, 1, total // 100, total // 2, total - 1):
                assert 0 < recipe.lr_at(iteration, total) <= recipe.lr, recipe
        assert 0 < recipe.stride <= recipe.patch, recipe
        assert (recipe.sizes[0], set(recipe.transforms)) == (1, set(range(8))), recipe
        assert recipe.optimiser in {"sgd", "adam", "muon"}, recipe
        assert recipe.clip_by in {"norm", "value"}, recipe
        assert recipe.loss in {"squared", "absolute"}, recipe
        assert (recipe.adam_lr > 0) == (recipe.optimiser == "muon"), recipe
        assert (recipe.name == "published") == (recipe.decay_every > 0), recipe


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name not in CPU_PROFILES])
def test_the_recipe_for_one_core_is_the_fast_one_in_small_batches(name):
    """Identity: optimiser, rates, loss and data are those of `fast`; fewer pixels an iteration, and no more patches in all."""
    fast, core = (EXPERIMENTS[name].recipe(recipe) for recipe in ("fast", "core"))
    small = {"name", "iterations", "batch", "patch", "stride"}
    assert {key for key, value in vars(core).items() if value != getattr(fast, key)} <= small
    assert core.batch * core.patch**2 < fast.batch * fast.patch**2
    assert core.batch * core.iterations < fast.batch * fast.iterations


def test_drrn_is_trained_as_written():
    """Witness: Section 4.2, Eq. 10 and the released solver: halved every 65,360 iterations, theta over rate, half the sum;
    and the released snapshots, 71 epochs of 6,536 iterations and, for B1U25, 101."""
    for name, recipe in published("drrn").items():
        assert recipe.iterations == (101 if name == "drrn_b1u25" else 71) * 6_536
        assert rates(recipe, 65_359, 65_360) == [0.1, 0.05]
        assert (recipe.batch, recipe.patch, recipe.stride, recipe.momentum, recipe.weight_decay) == (128, 31, 21, 0.9, 1e-4)
        assert (recipe.clip, recipe.clip_by, recipe.clip_over_lr) == (0.01, "norm", True)
        assert (recipe.loss, recipe.loss_factor, recipe.pixel_mean) == ("squared", 0.5, False)
        assert recipe.transforms == ROTATIONS + REFLECTIONS


@pytest.mark.parametrize("name", [e.name for e in dsrn.EXPERIMENTS if e.name not in CPU_PROFILES])
def test_dsrn_is_trained_as_written(name):
    """Witness: Sections 5.1, 5.2: a tenth three times, momentum 0.95, clip 0.5; sizes random, but not for DIV2K; Eq. 6."""
    recipe = EXPERIMENTS[name].recipe("published")
    assert drops(recipe) == 3
    assert (recipe.lr, recipe.momentum, recipe.batch, recipe.clip) == (0.1, 0.95, 16, 0.5)
    assert recipe.patch == {2: 128, 3: 126, 4: 128}[recipe.scales[0]]
    assert recipe.sizes == ((1.0,) if "div2k" in name else (1.0, 0.9, 0.8, 0.7, 0.6, 0.5))
    assert (recipe.loss, recipe.loss_factor) == ("squared", 0.5)


def test_rlcsc_is_trained_as_written():
    """Witness: Section 5.2: 1,929,728 pairs in batches of 128 for 35 epochs, a tenth every ten; Eq. 14 has no half."""
    recipe = EXPERIMENTS["rlcsc_k25"].recipe("published")
    assert recipe.iterations * recipe.batch == 35 * 1_929_728
    assert rates(recipe, 0, 150_759, 150_760) == pytest.approx([0.1, 0.1, 0.01])
    assert drops(recipe) == 3
    assert (recipe.patch, recipe.stride, recipe.sizes) == (33, 33, (1.0, 0.7, 0.5, 0.4))
    assert (recipe.clip, recipe.clip_over_lr, recipe.loss_factor, recipe.pixel_mean) == (0.4, False, 1.0, False)
    # Twelve copies of an image: four rotations of it and of its two mirror images, whose rotations are the same four.
    assert Counter(recipe.transforms) == dict.fromkeys(ROTATIONS, 1) | dict.fromkeys(REFLECTIONS, 2)


def test_rlcsc_without_residual_stops_early():
    """Witness: Section 5.4, stopped at the 14th epoch, on the same schedule: one drop after ten, never below 0.01."""
    recipe = EXPERIMENTS["rlcsc_k25_no_residual"].recipe("published")
    assert recipe.iterations == 195_988
    assert rates(recipe, 150_759, 150_760, 195_987) == pytest.approx([0.1, 0.01, 0.01])
    for name in ("fast", "core"):  # and by our recipes as its partner, of which it is without the residual alone
        assert EXPERIMENTS["rlcsc_k25_no_residual"].recipe(name) == EXPERIMENTS["rlcsc_k25"].recipe(name)


def test_drn_is_trained_as_written():
    """Witness: Section 3.1: 1e-4, halved each 200 epochs (of 1,000 iterations, inferred), 800 or 300; Table 2 at 100."""
    recipes = published("drn")
    assert rates(recipes["drn_x3"], 0, 199_999, 200_000) == [1e-4, 1e-4, 5e-5]
    table_2 = ("drn_x3_epoch100", "drn_plain_x3", "drn_plus_x3_epoch100")
    epochs = dict.fromkeys(recipes, 800) | {f"drn_plus_x{scale}": 300 for scale in (2, 3, 4)} | dict.fromkeys(table_2, 100)
    assert {name: recipe.iterations // 1_000 for name, recipe in recipes.items()} == epochs
    assert all(drops(recipes[name]) == 0 for name in table_2)
    assert {name for name, recipe in recipes.items() if recipe.loss == "squared"} == {"drn_mse_x3"}
    assert all(recipe.patch == 48 * recipe.scales[0] for recipe in recipes.values())  # "the size of the input image is 48 x 48"


def test_standins_are_twins_under_another_name():
    """Identity: every experiment on DIV2K has one, equal but for name and images, and none of them says DIV2K's images."""
    on_div2k = {e.name for e in EXPERIMENTS.values() if "DIV2K" in e.data}
    standins = {name for name in EXPERIMENTS if name.endswith(STANDIN_SUFFIX)}
    assert standins == {name + STANDIN_SUFFIX for name in on_div2k}
    assert not standins & on_div2k
    for name in on_div2k:
        own, twin = EXPERIMENTS[name], EXPERIMENTS[name + STANDIN_SUFFIX]
        assert twin.data == "T91+BSDS200+BSDS500_test"
        assert (twin.model, twin.arguments, twin.recipes) == (own.model, own.arguments, own.recipes)
        assert (twin.degradation, twin.protocols) == (own.degradation, own.protocols)


@pytest.mark.parametrize(
    ("name", "full"), list(zip(CPU_PROFILES, ("drrn_b1u3", "dsrn_t7_x3", "rlcsc_k15", "drn_x3"), strict=True))
)
def test_cpu_profiles_are_small(name, full):
    """By hand: one scale, T91, and at most a hundredth of the work of its paper's smallest network under `fast`."""
    experiment, fast = EXPERIMENTS[name], EXPERIMENTS[full].recipe("fast")
    work = operations(EXPERIMENTS[full], replace(fast, scales=(3,)), fast.iterations)
    for recipe in experiment.recipes:
        assert (experiment.data, recipe.scales, recipe.sizes) == ("T91", (3,), (1.0,))
        assert operations(experiment, recipe, recipe.iterations) < work / 100


def test_operations_are_the_models_multiplications():
    """Arithmetic: an iteration of DRRN B1U9 on 128 patches is 1.96 TFLOP, forward once and backward twice."""
    experiment = EXPERIMENTS["drrn_b1u9"]
    work = operations(experiment, experiment.recipe("published"), 1)
    weights = 9 * (128 + 18 * 128 * 128 + 128)
    assert work == pytest.approx(6 * weights * 31**2 * 128)
    assert work / 1e12 == pytest.approx(1.96, abs=0.005)
