"""What a recipe costs."""

import pytest

from srlib.models import MODELS
from srlib.papers import EXPERIMENTS
from srlib.training.recipe import operations


def test_operations_are_the_models_multiplications():
    """Arithmetic: an iteration of DRRN B1U9 on 128 patches is 1.96 TFLOP, forward once and backward twice."""
    experiment = EXPERIMENTS["drrn_b1u9"]
    work = operations(experiment, experiment.recipe("published"), 1)
    weights = 9 * (128 + 18 * 128 * 128 + 128)
    assert work == pytest.approx(6 * weights * 31**2 * 128)
    assert work / 1e12 == pytest.approx(1.96, abs=0.005)
    assert MODELS["drrn_b1u9"]().depth == 20
