"""The box "Rerun this": commands that run, costs that are computed."""

import re
import shlex

import papermill
import pytest
from pages.rerun import FULL_SIZE, box, duration, total_operations, ways

from srlib.models import macs_per_pixel
from srlib.papers import PAPERS, claims, get_experiment
from srlib.papers.published import items
from srlib.records.provenance import ROOT

PAGES = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("page", PAGES)
def test_each_command_of_a_box_names_a_notebook_and_its_parameters(page):
    """papermill's own view of the notebook: its parameters, and experiments that exist."""
    for way in ways(page, 1.0):
        program, notebook, _, *options = shlex.split(way.command)
        assert program == "papermill"
        known = papermill.inspect_notebook(str(ROOT / notebook))
        assert set(options[0::3]) <= {"-p"}
        given = dict(zip(options[1::3], options[2::3], strict=True))
        assert given.keys() <= known.keys()
        for name in filter(None, given.get("experiments", "").split(",")):
            assert get_experiment(name).name == name


def test_every_page_that_can_train_has_the_papers_networks_in_its_box():
    """Identity: pages whose parameters say that `train` trains, and the networks whose numbers their tables print."""
    parameters = {page: papermill.inspect_notebook(str(ROOT / "notebooks" / f"{page}.ipynb")) for page in PAGES}
    trains = {page for page, known in parameters.items() if "train here" in known.get("train", {"help": ""})["help"]}
    assert trains == FULL_SIZE.keys()
    for paper, item in ((p, item) for p in PAPERS for item in items(p)):
        printed = {c.experiment for c in claims(paper) if c.where == item.name and c.kind == "measured"}
        own = FULL_SIZE.get(item.page, ())
        assert {re.sub(r"_epoch\d+$", "", name) for name in printed} <= {re.sub(r"_epoch\d+$", "", name) for name in own}


def by_hand(name: str, iterations: float, recipe: str = "fast") -> float:
    """Operations: forward once and backward twice, two a multiplication with its addition."""
    experiment = get_experiment(name)
    recipe = experiment.recipe(recipe)
    return 3 * 2 * macs_per_pixel(experiment.make, recipe.scales[0]) * recipe.patch**2 * recipe.batch * iterations


@pytest.mark.parametrize(("recipe", "budget"), [("fast", 1.0), ("adam", 0.5)])
def test_narrow_networks_are_as_slow_as_their_papers_records(trained, recipe, budget):
    """By hand: operations and seconds of DRN's one training, by the recipe that it was trained with."""
    info = trained("drn_x3_c32_g2_k3", 31.0, budget=budget, recipe=recipe).info
    trained("drrn_b1u3_w16", 31.0)  # of another paper
    rate = by_hand("drn_x3_c32_g2_k3", info["iterations"], recipe) / info["seconds"]
    work = by_hand("drn_x3_w16", get_experiment("drn_x3_w16").recipe("fast").iterations)
    assert total_operations([get_experiment("drn_x3_w16")]) == pytest.approx(work)
    assert ways("drn_tables", 1.0)[1].cost == f"about {duration(work / rate)} on a CPU"


def test_without_records_nothing_is_estimated(results):
    """Edge: it is said that nothing was trained."""
    narrow, own = ways("drn_tables", 1.0)[1:]
    assert (narrow.cost, narrow.basis.split(".")[0]) == ("not measured on a CPU", "No such network has been trained yet")
    assert own.basis.startswith("None of these networks has been trained here yet")


def test_the_papers_networks_have_their_operations_and_the_longest_run(trained):
    """By hand: operations of the whole recipe; of two runs the one that did more."""
    names = FULL_SIZE["rlcsc_residual_memory"]
    trained("rlcsc_k25", 33.0, budget=0.01)
    trained("rlcsc_k25_no_residual", 33.0, budget=0.02)
    own = ways("rlcsc_residual_memory", 1.0)[2]
    work = sum(by_hand(name, get_experiment(name).recipe("fast").iterations) for name in names)
    digits, power = f"{work:.2e}".split("e+")
    assert own.cost.startswith(f"{digits} × 10")
    assert power.lstrip("0") == own.cost.split("10")[-1].split()[0].translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789"))
    assert "`rlcsc_k25_no_residual`, 2 % of its `fast` recipe in 60 s on a CPU" in own.basis


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (8.4, "8 s"), (120, "2 min"), (3 * 3600, "3 h"), (16 * 86400, "16 days"), (float("nan"), "not measured")],
)
def test_durations_are_words(seconds, words):
    """By hand."""
    assert duration(seconds) == words


def test_the_first_way_is_open_and_the_others_fold():
    """One command at once, two behind their costs."""
    text = box("drn_tables", 8.0)
    assert text.index("8 s on a CPU") < text.index("papermill") < text.index("{dropdown}")
    assert text.count("{dropdown}") == 2


def test_no_notebook_types_what_a_run_takes():
    """The box computes it."""
    for path in (ROOT / "notebooks").glob("*.py"):
        for note in re.findall(r"# ```\{admonition\} Run this yourself\n((?:#.*\n)*?)# ```", path.read_text()):
            assert not re.search(r"\b(seconds?|minutes?|hours?)\b", note), path
