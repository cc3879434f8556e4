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


def test_the_steps_that_lista_saves():
    """By hand: a gap of 0.5 is reached by ISTA after two steps of four, by FISTA never."""
    gaps = {"ISTA": [4.0, 2.0, 0.5, 0.2], "FISTA": [4.0, 3.0, 0.8, 0.6], "LISTA, learned": [0.5]}
    rows = [(name, k, gap, -10.0) for name, several in gaps.items() for k, gap in enumerate(several, start=0)]
    progress = pd.DataFrame(rows, columns=["method", "K", "gap", "error"])
    progress.loc[progress.method == "LISTA, learned", "K"] = 1
    (row,) = lista_table(progress).to_dict("records")
    assert (row["ISTA"], row["FISTA"], row["LISTA"]) == ("2.000", "3.000", "0.500")
    assert (row["ISTA's steps to LISTA's"], row["FISTA's"]) == ("2", "> 3")
    assert "ahead of FISTA at every K" in lista_text(progress, -12.0, 0.0, 400)
    progress.loc[progress.method == "LISTA, learned", "gap"] = 3.5
    assert "FISTA is level or ahead at K = 1." in lista_text(progress, -12.0, 0.0, 400)
