"""Pages about what a recipe changed, on made-up records."""

import json
import re

import pytest
import torch
from pages.recipes import changed, dark, trials
from shared import rows
from torch import nn

from srlib.ledger.comparisons import deciding_evidence
from srlib.ledger.rows import judge_ordering
from srlib.papers import get_experiment
from srlib.papers.orderings import ORDERS
from srlib.records.scores import Runs, runs
from srlib.training.checkpoint import save_tensors

MEAN, STD = 0.5, 0.2  # of the luma that the made-up networks were trained on


@pytest.fixture
def train(trained):
    """A function that writes a record: a score on Set5, perhaps a curve, and weights whose input becomes zero below `limit`."""

    def write(name, recipe, psnr, seed=0, validation=None, limit=None, budget=0.15, precision="fp32"):
        experiment = get_experiment(name)
        scale = max(experiment.recipe(recipe).scales)
        curve = () if validation is None else (0.0, validation)
        record = trained(name, psnr, seed, budget, recipe, protocol=experiment.protocols[0], scale=scale, curve=curve)
        info = record.info | {"precision": precision}
        if recipe == "first":  # records older than these settings do not have them
            info["recipe"] = {key: v for key, v in info["recipe"].items() if key not in ("first_shift", "adam_lr")}
        if limit is not None:
            model = experiment.make()
            norm = next(module for module in model.modules() if isinstance(module, nn.BatchNorm2d))
            state = {"weight": 1.0, "bias": (MEAN - limit) / STD, "running_mean": MEAN, "running_var": STD**2 - norm.eps}
            norm.load_state_dict({key: torch.full((1,), value) for key, value in state.items()}, strict=False)
            info["weights_sha256"] = save_tensors(
                record.folder / "weights.safetensors", model.state_dict(), {"experiment": name}
            )
        (record.folder / "record.json").write_text(json.dumps(info))

    return write


def test_without_records_each_page_says_so(results):
    """Behaviour: a sentence, no table and no error."""
    for text in (dark(), trials(), trials("drrn"), changed()):
        assert text.endswith(".")
        assert "|" not in text


def test_dark_means_over_seeds_and_shows_what_is_missing(train):
    """By hand: limits 0.2 and 0.3 are 0.25, 64 of 255; the shift 0 starts at the mean, 3 below black."""
    train("drrn_b1u2_w4", "first", 30.0, 0, limit=0.2)
    train("drrn_b1u2_w4", "first", 30.4, 1, limit=0.3)
    train("drrn_b1u2_w4", "fast", 32.0, 0, limit=0.0)
    train("drrn_b3u1_w4", "first", 31.0, limit=0.05)
    train("drrn_b3u1_w4", "fast", 31.5)  # its weights are not at hand
    train("vdsr_bn_d16_w4", "fast", 31.0, limit=0.01)
    train("vdsr_w4", "fast", 31.0)  # without normalisation
    train("drrn_b2u1_w4", "adam", 31.0, limit=0.4)  # neither of the two recipes
    text = dark()
    table = [list(row.values()) for row in rows(text)]
    assert table == [
        ["`drrn_b1u2_w4`", "6", "3,000", "0.250 (64 of 255)", "0.000 (0 of 255)", "30.20, 2", "32.00, 1", "+1.80"],
        ["`drrn_b3u1_w4`", "10", "3,000", "0.050 (13 of 255)", "–", "31.00, 1", "31.50, 1", "+0.50"],
        ["`vdsr_bn_d16_w4`", "16", "3,000", "–", "0.010 (3 of 255)", "–", "31.00, 1", "–"],
    ]
    assert "With `first` training starts at a limit of 0.500 (128 of 255)" in text
    assert "1 of 2 networks loses pixels: all below 0.250 (64 of 255) in `drrn_b1u2_w4`." in text
    assert "With `fast` training starts at a limit of 0.000 (0 of 255); at its end none of 2 networks loses pixels." in text
    assert "`drrn_b1u2_w4` gains most, +1.80 dB, and `drrn_b3u1_w4` least, +0.50 dB" in text
    assert "lost pixels (1) gain +1.80 dB in the mean, those that lost none (1) +0.50 dB" in text


def test_dark_with_one_recipe_names_no_gain(train):
    """Behaviour: nothing is said of what has no record."""
    train("drrn_b1u2_w4", "first", 30.0, limit=0.2)
    train("drrn_b1u3_w4", "first", 30.0, limit=0.4)
    text = dark()
    assert [row["network"] for row in rows(text)] == ["`drrn_b1u3_w4`", "`drrn_b1u2_w4`"]
    assert "2 of 2 networks lose pixels, from all below 0.200 (51 of 255) in `drrn_b1u2_w4` to all below 0.400" in text
    assert "No network of recipe `fast` is at hand." in text
    assert "there is no gain to name" in text


def test_trials_pair_the_seeds_that_both_recipes_have(train):
    """By hand: `adam` has seeds 0 and 2, `fast` 0 and 1, so seed 0 decides; `first` shares none."""
    train("drrn_b1u2_w4", "fast", 32.0, 0, validation=28.0, precision="bf16")
    train("drrn_b1u2_w4", "fast", 32.4, 1, validation=29.0)
    train("drrn_b1u2_w4", "adam", 31.0, 0, validation=27.7)
    train("drrn_b1u2_w4", "adam", 35.0, 2, validation=35.0)
    train("drrn_b1u2_w4", "first", 30.0, 3, validation=27.0)
    train("drrn_b1u3_w4", "fast", 32.0, 0)  # one recipe is no trial
    train("drrn_b1u3_w4", "adam", 32.0, 0, budget=0.3)  # nor are two at unequal budgets
    train("drrn_b3u1_w4", "fast", 32.0, 0, validation=28.0)
    train("drrn_b3u1_w4", "first", 32.0, 0, validation=28.0)  # two settings at once
    text = trials()
    assert trials("drrn") == text
    assert "|" not in trials("dsrn")
    assert [list(row.values()) for row in rows(text)] == [
        ["`drrn_b1u2_w4`", "`fast`", "Muon 0.02, AdamW 0.003, shift 3", "62, bf16", "0", "28.00", "–", "32.00 (×3)"],
        ["", "`adam`", "Adam 0.003, shift 3", "62, fp32", "0", "27.70", "-0.30", "31.00 (×3)"],
        ["", "`first`", "Adam 0.003", "31, fp32", "3", "27.00", "-1.50, other seeds", "30.00 (×3)"],
    ]
    assert "validation pool, which is in no training set" in text
    assert "`fast` minus `adam` is +0.30 dB" in text


def test_trials_of_other_papers_are_scored_as_they_were_trained(train):
    """By hand: DSRN ×2; two networks, one on each side."""
    for name, lead in (("dsrn_t7_x2_w4", 0.5), ("rlcsc_k15_w4", -0.2)):
        train(name, "fast", 33.0, validation=28 + lead)
        train(name, "adam", 32.0, validation=28)
    text = trials()
    assert text.count("32.00 (×2)") == text.count("32.00 (×3)") == 1
    assert "`fast` ends above `adam` on 1 of 2 networks: the differences are -0.20 to +0.50 dB" in text
    assert [row["network"] for row in rows(trials("dsrn"))] == ["`dsrn_t7_x2_w4`", ""]


def grid(train, recipe, b1u25):
    """B1U9 of three seeds around 32 dB, and B1U25 of three so far above it."""
    for seed, psnr in enumerate((31.99, 32.0, 32.01)):
        train("drrn_b1u9_w4", recipe, psnr, seed)
        train("drrn_b1u25_w4", recipe, psnr + b1u25, seed)


def test_a_claim_that_turned_stands_beside_what_it_was(train):
    """By hand: "52 layers further improve" is contradicted by -1 dB with `first` and supported by +1 dB with `fast`."""
    grid(train, "first", -1)
    text = changed()
    assert "with recipe `fast` these are: 3 not run" in text
    grid(train, "fast", 1)
    text = changed()
    assert "bear on 3 claims of order and contradict 3." in text
    assert "these are: 2 supported, 1 undecided." in text
    for row in rows(text):
        assert re.match(r"-1\.00 ± 0\.\d\d$", row["`first` (dB)"])
        assert re.match(r"\+1\.00 ± 0\.\d\d$", row["`fast` (dB)"])
        both_sets = "(Figure 9)" in row["the paper says"]  # which has Set14, too
        assert (row["`first`: verdict"], row["`fast`: verdict"]) == ("contradicted", "undecided" if both_sets else "supported")


def test_networks_at_other_widths_or_budgets_are_not_compared(train):
    """Behaviour: `fast` runs of 8 filters, or twice as long, answer for no run of `first`."""
    grid(train, "first", -1)
    for name, budget in (("drrn_b1u9_w8", 0.15), ("drrn_b1u25_w8", 0.15), ("drrn_b1u9_w4", 0.3), ("drrn_b1u25_w4", 0.3)):
        train(name, "fast", 32.0, budget=budget)
    assert "these are: 3 not run" in changed()


def test_claims_that_only_the_new_runs_contradict_are_told(train):
    """By hand: +1 dB with `first`, -1 dB with `fast`."""
    grid(train, "first", 1)
    grid(train, "fast", -1)
    text = changed()
    assert "contradict 0. 3 more are contradicted with `fast` alone." in text
    assert len(rows(text)) == 3


@pytest.mark.parametrize("lead", [-1.0, 0.0, 1.0])
def test_the_outcome_is_the_ledgers(train, lead):
    """Identity: on runs that are evidence, the ledger's own verdict."""
    grid(train, "fast", lead)
    runs.cache_clear()
    for identifier, order in ORDERS.items():
        if order.pairs:
            found = deciding_evidence(order)
            assert (found.outcome if found else "not run") == judge_ordering(identifier)["verdict"]
    order = ORDERS["drrn.f1.order.b1u25"]
    assert deciding_evidence(order, Runs(("fast",))).differences == deciding_evidence(order).differences
    assert not deciding_evidence(order, Runs(("first",)))
