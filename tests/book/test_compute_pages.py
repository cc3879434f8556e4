"""The table of depth at equal compute, on made-up records."""

import pytest
from pages.compute import CLOSE, RECURSIONS, equal_compute
from shared import rows

from srlib.models import macs_per_pixel
from srlib.papers import get_experiment
from srlib.records.plan import ORDERS


def test_each_network_is_compared_at_its_length(trained):
    """Made-up scores: 3,000 iterations of each, and as many operations; left out are runs of another length or unfinished."""
    trained("drrn_b1u25_w16", 32.5, budget=0.15, finished=False)
    assert "has not been trained yet" in equal_compute()
    for seed, more in ((0, 0.0), (1, 0.2)):
        for name, psnr, budget in (
            ("drrn_b1u25_w16", 32.5, 0.15),
            ("drrn_b1u9_w16", 32.4, 0.15),
            ("drrn_b1u3_w16", 32.3, 0.15),
            ("drrn_b1u3_w16", 32.7, 1.23),
            ("drrn_b1u3_w16", 39.0, 0.6),
        ):
            trained(name, psnr + more, seed, budget, dataset=("Set5", "Set14"))
    deepest, *others = rows(equal_compute())
    assert [deepest[key] for key in ("network", "layers", "iterations", "Set5")] == ["B1U25", "52", "3,000", "32.50, 32.70"]
    columns = ("compared at", "network", "iterations", "lead, Set5", "lead, Set14")
    assert [[row[key] for key in columns] for row in others] == [
        ["equal iterations", "B1U9", "3,000", "+0.10", "+0.10"],
        ["equal iterations", "B1U3", "3,000", "+0.20", "+0.20"],
        ["equal operations", "B1U9", "not run", "", ""],
        ["equal operations", "B1U3", "24,600", "-0.20", "-0.20"],
    ]


@pytest.mark.parametrize("name", [f"{name}_w16" for name in RECURSIONS])
def test_the_campaign_trains_as_many_operations(name):
    """Identity: iterations times operations an iteration are those of B1U25 in the grid."""
    cost = {n: macs_per_pixel(get_experiment(n).make, 3) for n in (name, "drrn_b1u25_w16")}
    wanted = 0.15 * cost["drrn_b1u25_w16"] / cost[name]
    budgets = [group.budget for group in ORDERS if name in group.experiments]
    assert any(abs(budget / wanted - 1) < CLOSE for budget in budgets)
