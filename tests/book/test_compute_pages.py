"""The table of depth at equal compute, on made-up records."""

import pytest
from pages.compute import CLOSE, RECURSIONS, equal_compute

from srlib.models import macs_per_pixel
from srlib.papers import get_experiment
from srlib.records.plan import ORDERS

SETS = ("Set5", "Set14")


def rows(text):
    """Cells of a Markdown table below its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_without_records_it_says_so(results):
    """The deepest network is what the others are compared with."""
    assert "has not been trained yet" in equal_compute()


def test_each_network_is_compared_at_its_length(trained):
    """Made-up scores: 3,000 iterations of each, and as many operations; a run of another length is left out."""
    for seed, more in ((0, 0.0), (1, 0.2)):
        trained("drrn_b1u25_w16", 32.5 + more, seed, 0.15, dataset=SETS)
        trained("drrn_b1u9_w16", 32.4 + more, seed, 0.15, dataset=SETS)
        trained("drrn_b1u3_w16", 32.3 + more, seed, 0.15, dataset=SETS)
        trained("drrn_b1u3_w16", 32.7 + more, seed, 1.23, dataset=SETS)
        trained("drrn_b1u3_w16", 39.0 + more, seed, 0.6, dataset=SETS)
    deepest, *others = rows(equal_compute())
    assert deepest[1:4] == ["B1U25", "52", "3,000"]
    assert deepest[5] == "32.50, 32.70"
    assert [(row[0], row[1], row[3], row[6], row[8]) for row in others] == [
        ("equal iterations", "B1U9", "3,000", "+0.10", "+0.10"),
        ("equal iterations", "B1U3", "3,000", "+0.20", "+0.20"),
        ("equal operations", "B1U9", "not run", "", ""),
        ("equal operations", "B1U3", "24,600", "-0.20", "-0.20"),
    ]


def test_a_run_that_has_not_ended_is_left_out(trained):
    """Alone it is as if there were none."""
    trained("drrn_b1u25_w16", 32.5, budget=0.15, dataset=SETS, finished=False)
    assert "has not been trained yet" in equal_compute()


@pytest.mark.parametrize("name", [f"{name}_w16" for name in RECURSIONS])
def test_the_campaign_trains_as_many_operations(name):
    """Identity: iterations times operations an iteration are those of B1U25 in the grid."""
    cost = {n: macs_per_pixel(get_experiment(n).make, 3) for n in (name, "drrn_b1u25_w16")}
    wanted = 0.15 * cost["drrn_b1u25_w16"] / cost[name]
    budgets = [group.budget for group in ORDERS if name in group.experiments]
    assert any(abs(budget / wanted - 1) < CLOSE for budget in budgets)
