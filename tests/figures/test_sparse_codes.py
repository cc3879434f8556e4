"""RL-CSC's tables: what is kept in training grows with the recursions, and solvers are compared at equal gap."""

import pandas as pd
import pytest

from srlib.figures.sparse_codes import bias_table, kept_bytes, lista_table, lista_text
from srlib.papers import claim


def test_each_recursion_keeps_as_much_memory():
    """Identity: of 15, 20 and 25 recursions the differences are equal, at least 256 maps of four bytes each."""
    few, more, most = (kept_bytes(f"rlcsc_k{K}")[0] for K in (15, 20, 25))
    assert more - few == pytest.approx(most - more)
    assert more - few >= 5 * 256 * 4
    assert kept_bytes("rlcsc_k15")[1] == kept_bytes("rlcsc_k25")[1] == 4 * 1_329_408


def test_both_printed_sizes_are_those_without_biases():
    """Witness: Section 5.4's 1,329k and 592k."""
    counts = bias_table()
    assert list(counts.printed) == [claim(f"rlcsc.f8.{size}.params").value for size in ("i", "ii")]
    for row in counts.to_dict("records"):
        assert f"({row['printed']})" in row["weights"]
        assert f"({row['printed']})" not in row["weights and biases"]


@pytest.mark.parametrize(
    ("gap", "steps", "said"), [(0.5, ("2", "> 3"), "ahead of FISTA at every K"), (3.5, ("1", "1"), "level or ahead at K = 1.")]
)
def test_the_steps_that_lista_saves(gap, steps, said):
    """By hand: a gap of 0.5 is reached by ISTA after two steps of four, by FISTA never."""
    gaps = {"ISTA": [4.0, 2.0, 0.5, 0.2], "FISTA": [4.0, 3.0, 0.8, 0.6]}
    rows = [(name, k, value, -10.0) for name, values in gaps.items() for k, value in enumerate(values)]
    progress = pd.DataFrame([*rows, ("LISTA, learned", 1, gap, -10.0)], columns=["method", "K", "gap", "error"])
    (row,) = lista_table(progress).to_dict("records")
    assert (row["ISTA"], row["FISTA"], row["LISTA"]) == ("2.000", "3.000", f"{gap:.3f}")
    assert (row["ISTA's steps to LISTA's"], row["FISTA's"]) == steps
    assert said in lista_text(progress, -12.0, 0.0, 400)
