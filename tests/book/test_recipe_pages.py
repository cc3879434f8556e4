"""Pages about what a recipe changed, on made-up records."""

import re
from dataclasses import asdict

import pandas as pd
import pytest
import torch
from pages.recipes import changed, dark, trials
from torch import nn

from srlib.ledger.comparisons import deciding_evidence
from srlib.ledger.rows import judge_ordering
from srlib.papers import get_experiment
from srlib.papers.orderings import ORDERS
from srlib.protocol import COLUMNS
from srlib.records.record import write_record
from srlib.records.scores import Runs, runs
from srlib.training.checkpoint import save_tensors

MEAN, STD = 0.5, 0.2  # of the luma that the made-up networks were trained on


def train(root, name, recipe, psnr, seed=0, validation=None, limit=None, budget=0.15, precision="fp32"):
    """A finished record: a score on Set5, and, if wanted, a curve and weights whose input becomes zero below `limit`."""
    experiment = get_experiment(name)
    folder = root / experiment.paper / name / f"seed{seed}_{recipe}_{budget:g}"
    folder.mkdir(parents=True)
    info = {"kind": "training", "experiment": name, "model": experiment.model, "arguments": experiment.arguments, "seed": seed}
    info |= {"budget": budget, "data": experiment.data, "finished": True, "precision": precision, "weights_sha256": ""}
    values = asdict(experiment.recipe(recipe))
    info |= {"recipe": values, "iterations_done": round(budget * values["iterations"])}
    if recipe == "first":  # records older than these settings do not have them
        del values["first_shift"], values["adam_lr"]
    if validation is not None:
        pd.DataFrame({"iteration": [1, 2], "lr": 0.1, "loss": 1.0, "psnr": [0.0, validation]}).to_csv(folder / "curve.csv")
    if limit is not None:
        model = experiment.make()
        norm = next(module for module in model.modules() if isinstance(module, nn.BatchNorm2d))
        with torch.no_grad():
            norm.weight.fill_(1.0)
            norm.bias.fill_((MEAN - limit) / STD)
            norm.running_mean.fill_(MEAN)
            norm.running_var.fill_(STD**2 - norm.eps)
        info["weights_sha256"] = save_tensors(folder / "weights.safetensors", model.state_dict(), {"experiment": name})
    scale = 3 if 3 in values["scales"] else values["scales"][0]
    scores = pd.DataFrame([["Set5", scale, "a", experiment.protocols[0], psnr, 0.9, 3.0]], columns=COLUMNS)
    return write_record(folder, info, scores)


def cells(text):
    """A Markdown table's rows, the head first."""
    rows = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("| ---")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def lines(text):
    """A Markdown table's rows by their first cell."""
    head, *rows = cells(text) or [[]]
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def test_without_records_each_page_says_so(results):
    """Behaviour: a sentence, no table and no error."""
    for text in (dark(), trials(), trials("drrn"), changed()):
        assert text.endswith(".")
        assert "|" not in text


def test_dark_means_over_seeds_and_shows_what_is_missing(results):
    """By hand: limits 0.2 and 0.3 are 0.25, 64 of 255; the shift 0 starts at the mean, 3 below black."""
    train(results, "drrn_b1u2_w4", "first", 30.0, 0, limit=0.2)
    train(results, "drrn_b1u2_w4", "first", 30.4, 1, limit=0.3)
    train(results, "drrn_b1u2_w4", "fast", 32.0, 0, limit=0.0)
    train(results, "drrn_b3u1_w4", "first", 31.0, limit=0.05)
    train(results, "drrn_b3u1_w4", "fast", 31.5)  # its weights are not at hand
    train(results, "vdsr_bn_d16_w4", "fast", 31.0, limit=0.01)
    train(results, "vdsr_w4", "fast", 31.0)  # without normalisation
    train(results, "drrn_b2u1_w4", "adam", 31.0, limit=0.4)  # neither of the two recipes
    text = dark()
    rows = lines(text)
    assert list(rows) == ["`drrn_b1u2_w4`", "`drrn_b3u1_w4`", "`vdsr_bn_d16_w4`"]
    assert list(rows["`drrn_b1u2_w4`"].values())[1:] == [
        "6",
        "3,000",
        "0.250 (64 of 255)",
        "0.000 (0 of 255)",
        "30.20, 2",
        "32.00, 1",
        "+1.80",
    ]
    assert list(rows["`drrn_b3u1_w4`"].values())[3:] == ["0.050 (13 of 255)", "–", "31.00, 1", "31.50, 1", "+0.50"]
    assert list(rows["`vdsr_bn_d16_w4`"].values())[3:] == ["–", "0.010 (3 of 255)", "–", "31.00, 1", "–"]
    assert "With `first` training starts at a limit of 0.500 (128 of 255)" in text
    assert "1 of 2 networks loses pixels: all below 0.250 (64 of 255) in `drrn_b1u2_w4`." in text
    assert "With `fast` training starts at a limit of 0.000 (0 of 255); at its end none of 2 networks loses pixels." in text
    assert "`drrn_b1u2_w4` gains most, +1.80 dB, and `drrn_b3u1_w4` least, +0.50 dB" in text
    assert "lost pixels (1) gain +1.80 dB in the mean, those that lost none (1) +0.50 dB" in text


def test_dark_with_one_recipe_names_no_gain(results):
    """Behaviour: nothing is said of what has no record."""
    train(results, "drrn_b1u2_w4", "first", 30.0, limit=0.2)
    train(results, "drrn_b1u3_w4", "first", 30.0, limit=0.4)
    text = dark()
    assert list(lines(text)) == ["`drrn_b1u3_w4`", "`drrn_b1u2_w4`"]
    assert "2 of 2 networks lose pixels, from all below 0.200 (51 of 255) in `drrn_b1u2_w4` to all below 0.400" in text
    assert "No network of recipe `fast` is at hand." in text
    assert "there is no gain to name" in text


def test_trials_pair_the_seeds_that_both_recipes_have(results):
    """By hand: `adam` has seeds 0 and 2, `fast` 0 and 1, so seed 0 decides; `first` shares none."""
    train(results, "drrn_b1u2_w4", "fast", 32.0, 0, validation=28.0, precision="bf16")
    train(results, "drrn_b1u2_w4", "fast", 32.4, 1, validation=29.0)
    train(results, "drrn_b1u2_w4", "adam", 31.0, 0, validation=27.7)
    train(results, "drrn_b1u2_w4", "adam", 35.0, 2, validation=35.0)
    train(results, "drrn_b1u2_w4", "first", 30.0, 3, validation=27.0)
    train(results, "drrn_b1u3_w4", "fast", 32.0, 0)  # one recipe is no trial
    train(results, "drrn_b1u3_w4", "adam", 32.0, 0, budget=0.3)  # nor are two at unequal budgets
    train(results, "drrn_b3u1_w4", "fast", 32.0, 0, validation=28.0)
    train(results, "drrn_b3u1_w4", "first", 32.0, 0, validation=28.0)  # two settings at once
    text = trials()
    assert trials("drrn") == text
    assert not cells(trials("dsrn"))
    assert [row[:4] for row in cells(text)[1:]] == [
        ["`drrn_b1u2_w4`", "`fast`", "Muon 0.02, AdamW 0.003, shift 3", "62, bf16"],
        ["", "`adam`", "Adam 0.003, shift 3", "62, fp32"],
        ["", "`first`", "Adam 0.003", "31, fp32"],
    ]
    assert [row[4:] for row in cells(text)[1:]] == [
        ["0", "28.00", "–", "32.00 (×3)"],
        ["0", "27.70", "-0.30", "31.00 (×3)"],
        ["3", "27.00", "-1.50, other seeds", "30.00 (×3)"],
    ]
    assert "validation pool, which is in no training set" in text
    assert "`fast` minus `adam` is +0.30 dB" in text


def test_trials_of_other_papers_are_scored_as_they_were_trained(results):
    """By hand: DSRN ×2; two networks, one on each side."""
    for name, lead in (("dsrn_t7_x2_w4", 0.5), ("rlcsc_k15_w4", -0.2)):
        train(results, name, "fast", 33.0, validation=28 + lead)
        train(results, name, "adam", 32.0, validation=28)
    text = trials()
    assert text.count("32.00 (×2)") == text.count("32.00 (×3)") == 1
    assert "`fast` ends above `adam` on 1 of 2 networks: the differences are -0.20 to +0.50 dB" in text
    assert list(lines(trials("dsrn"))) == ["`dsrn_t7_x2_w4`", ""]


def grid(root, recipe, b1u25):
    """B1U9 of three seeds around 32 dB, and B1U25 of three so far above it."""
    for seed, psnr in enumerate((31.99, 32.0, 32.01)):
        train(root, "drrn_b1u9_w4", recipe, psnr, seed)
        train(root, "drrn_b1u25_w4", recipe, psnr + b1u25, seed)


def test_a_claim_that_turned_stands_beside_what_it_was(results):
    """By hand: "52 layers further improve" is contradicted by -1 dB with `first` and supported by +1 dB with `fast`."""
    grid(results, "first", -1)
    text = changed()
    assert "with recipe `fast` these are: 3 not run" in text
    grid(results, "fast", 1)
    text = changed()
    assert "bear on 3 claims of order and contradict 3." in text
    assert "these are: 2 supported, 1 undecided." in text
    for row in lines(text).values():
        assert re.match(r"-1\.00 ± 0\.\d\d$", row["`first` (dB)"])
        assert re.match(r"\+1\.00 ± 0\.\d\d$", row["`fast` (dB)"])
        both_sets = "(Figure 9)" in row["the paper says"]  # which has Set14, too
        assert (row["`first`: verdict"], row["`fast`: verdict"]) == ("contradicted", "undecided" if both_sets else "supported")


def test_networks_at_other_widths_or_budgets_are_not_compared(results):
    """Behaviour: `fast` runs of 8 filters, or twice as long, answer for no run of `first`."""
    grid(results, "first", -1)
    for name, budget in (("drrn_b1u9_w8", 0.15), ("drrn_b1u25_w8", 0.15), ("drrn_b1u9_w4", 0.3), ("drrn_b1u25_w4", 0.3)):
        train(results, name, "fast", 32.0, budget=budget)
    assert "these are: 3 not run" in changed()


def test_claims_that_only_the_new_runs_contradict_are_told(results):
    """By hand: +1 dB with `first`, -1 dB with `fast`."""
    grid(results, "first", 1)
    grid(results, "fast", -1)
    text = changed()
    assert "contradict 0. 3 more are contradicted with `fast` alone." in text
    assert len(lines(text)) == 3


@pytest.mark.parametrize("lead", [-1.0, 0.0, 1.0])
def test_the_outcome_is_the_ledgers(results, lead):
    """Identity: on runs that are evidence, the ledger's own verdict."""
    grid(results, "fast", lead)
    runs.cache_clear()
    for identifier, order in ORDERS.items():
        if order.pairs:
            found = deciding_evidence(order)
            assert (found.outcome if found else "not run") == judge_ordering(identifier)["verdict"]
    order = ORDERS["drrn.f1.order.b1u25"]
    assert deciding_evidence(order, Runs(("fast",))).differences == deciding_evidence(order).differences
    assert not deciding_evidence(order, Runs(("first",)))
