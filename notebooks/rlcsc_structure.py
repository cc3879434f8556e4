# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # RL-CSC, Figures 2 and 3: the recursion, folded and beside three others
#
# **Question.** RL-CSC presents itself as a recursion with six layers, and sets it beside those of DRRN, SCN and DRCN.
# Is that what the networks run, and do the differences that Section 4 names show in their structure?
#
# No figure below is drawn by hand.
# Each network runs once on a tiny image, every operation is noted, and a stretch that repeats itself with the same weights is folded.

# %% tags=["parameters", "hide-input"]
K: int = 25  # recursions of RL-CSC, 2 or more
unfolded: int = 3  # recursions that are shown one by one, 2 or more
U: int = 9  # recursions of DRRN (residual units), 2 or more
T: int = 16  # recursions of DRCN, 2 or more
stages: int = 3  # steps of LISTA in SCN's place, 3 or more

# %% tags=["hide-input"]
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %%
import pandas as pd
import torch
from IPython.display import Markdown, display
from torch import nn

from srlib.figures.structures import (
    layer_table,
    lista_texts,
    recursion_table,
    section_4_table,
)
from srlib.figures.style import show, table, use_style
from srlib.graphs.draw_structure import LAYER, Drawing, Frame, figure
from srlib.graphs.sparse_coding import LISTA, soft_threshold
from srlib.graphs.structure import Structure
from srlib.graphs.tracing import trace
from srlib.models import params
from srlib.models.drcn import DRCN
from srlib.models.drrn import DRRN
from srlib.models.rlcsc import RLCSC, VARIANTS

use_style()
tiny = torch.zeros(1, 1, 4, 4)

# %% tags=["hide-input"]
# Captions, and what is seen for those who cannot see it.
FIGURES = {
    "fig-rlcsc-framework": {
        "caption": (
            "RL-CSC's Figure 2, drawn from the network: (a) folded, (b) with its first recursions unfolded. In the dashed"
            " box one recursion; the bold line leads back with the number of recursions, and what it brings replaces what"
            " entered at first. Equal colour: shared weights. Purple: the identity from the input image."
        ),
        "alt": (
            "Left column, downwards: input I_y, F0, ReLU, F1, ReLU, W1, then a dashed box with ReLU, S and an addition "
            "that a bold line closes to a loop, then ReLU, W2, ReLU, H, an addition and the output I_x. A grey line leads"
            " from behind W1 to the addition in the box, a purple one from the input to the last addition. Right column: "
            "the same with the box several times, one below the other, always with the same S, and the grey line leading "
            "to each addition."
        ),
    },
    "fig-rlcsc-recursions": {
        "caption": (
            "RL-CSC's Figure 3: the recursions of (a) DRRN, (b) SCN, (c) DRCN and (d) RL-CSC, folded from the networks; "
            "(b) is the sparse coding of SCN alone. The bold line leads back, with the number of recursions at its left. "
            "Coloured convolutions act in every recursion, with the same weights. A raised u marks what each recursion "
            "has for itself: DRRN's batch normalisation."
        ),
        "alt": (
            "Four columns. DRRN: a loop over batch normalisation, ReLU, convolution, twice, and an addition fed from "
            "before the loop. SCN: a loop over threshold, linear layer and an addition fed from before the loop. DRCN: a "
            "loop over convolution and ReLU alone; behind it two convolutions, the addition of the input, the weight and "
            "a sum of all predictions. RL-CSC: a loop over ReLU, convolution and an addition fed from before the loop. "
            "All but SCN add the input at the end."
        ),
    },
}

# %% [markdown]
# ## Method
#
# `srlib.graphs.tracing` turns a forward pass into a graph of operations, and its `folded` finds the recursion: the longest stretch
# of operations that repeats itself with the same weight tensors.
# The names of the convolutions in Figure 2 are those of the model's attributes in `srlib.models.rlcsc`, which are the paper's.
#
# ## Code: the network as a graph

# %%
network = trace(RLCSC(K), tiny)  # 128 and 256 filters, as in the paper
network_folded = network.folded()
network_unfolded = trace(RLCSC(unfolded, n=4, m=8), tiny)


# %%
def paper_symbols(structure: Structure) -> dict[int, str]:
    """The paper's symbols, from the attributes that hold the convolutions."""
    attributes = {
        i: structure.operations[i].weight.partition(".")[0]
        for i in structure.of_kind("convolution")
    }
    symbols = {
        i: f"${'_'.join(name)}$" for i, name in attributes.items()
    }  # W_1, S
    return {0: "$I_y$", len(structure.operations) - 1: "$I_x$"} | symbols


# %% [markdown]
# ## Result: Figure 2, the framework

# %%
frames = {
    "(a)": (network_folded, (Frame(tuple(network_folded.body), LAYER, lanes=1),)),
    "(b)": (
        network_unfolded,
        tuple(Frame(unit, LAYER) for unit in network_unfolded.units()),
    ),
}
drawings = [
    Drawing(s, title, paper_symbols(s), boxes, vertical=True)
    for title, (s, boxes) in frames.items()
]
show(
    figure(*drawings),
    "fig-rlcsc-framework",
    pd.DataFrame(),
    **FIGURES["fig-rlcsc-framework"],
)

# %% [markdown]
# The layers and their sizes, counted in the graph of the network at full width:

# %%
layers = layer_table(network)
table(layers, "The trainable layers of RL-CSC")

# %%
depths = {
    k: trace(RLCSC(k, n=4, m=8), tiny).depth
    for k in sorted({variant["K"] for variant in VARIANTS.values()} | {K})
}
equal = sum(depth == k + 5 for k, depth in depths.items())
text = f"There are **{len(layers)} trainable layers** with {params(RLCSC(K)):,} weights, as Section 3.4 says (six). "
text += (
    f"Eq. 13, $d = K + 5$, holds in **{equal} of {len(depths)}** traced graphs: "
)
text += ", ".join(f"K = {k}: {depth}" for k, depth in depths.items()) + "."
display(Markdown(text))

# %% [markdown]
# ## Result: Figure 3, four recursions
#
# DRRN, DRCN and RL-CSC are this project's models, with a block of one.
# **SCN we do not have.** In its place stands the sparse coding at its heart: `srlib.graphs.sparse_coding.LISTA` with matrices and a
# soft threshold, from a signal $y$ to its code $z$. What SCN has before and after it is missing here, and so is its number of recursions.


# %%
class Threshold(nn.Module):
    """The soft threshold as a module, so that it is found as one operation."""

    def forward(self, alpha: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
        return soft_threshold(alpha, theta)


# %%
lista = LISTA(
    torch.ones(4, 6), lam=0.1, K=stages, h=Threshold()
)  # any dictionary
coding = trace(lista, torch.zeros(1, 4)).collapsed("h")
coding = coding.part(
    range(1, len(coding.operations) - 1)
)  # of a network: its code is no supervised output
recursions = {
    "DRRN": trace(DRRN(1, U, 4), tiny).folded(),
    "SCN (LISTA)": coding.folded(),
    "DRCN": trace(DRCN(T, 4), tiny).folded(),
    "RL-CSC": trace(RLCSC(K, 4, 8), tiny).folded(),
}

# %%
texts = {"SCN (LISTA)": lista_texts(recursions["SCN (LISTA)"])}
drawings = [
    Drawing(structure, f"({letter}) {name}", texts.get(name, {}), vertical=True)
    for letter, (name, structure) in zip("abcd", recursions.items(), strict=True)
]
show(
    figure(*drawings),
    "fig-rlcsc-recursions",
    pd.DataFrame(),
    **FIGURES["fig-rlcsc-recursions"],
)

# %% [markdown]
# ## Result: the differences of Section 4, counted

# %%
counts = recursion_table(recursions)
table(counts, "One recursion of each, counted in the folded graphs")

# %%
table(section_4_table(counts), "Section 4's differences")

# %% [markdown]
# ## What we learned
#
# * RL-CSC's recursion is DRRN's with one convolution in place of two and without batch normalisation. What DRRN calls $H^0$ is here
#   $W_1 y$, the signal that ISTA adds at every step.
# * **Pre-activation is where one cuts.** Eq. 9 is $z_{k+1} = \mathrm{ReLU}(W_1 y + S z_k)$, with the activation last; the figure has it
#   first. Both are the same chain of operations, cut at another place. The folding here takes the first cut that is possible.
#   DRCN's chain of ReLU and convolution could be cut before the ReLU as well. What does differ, wherever one cuts, is that RL-CSC and
#   DRRN add before the activation, to a value that was not activated.
# * Batch normalisation is the only thing in DRRN's loop that is not recursive: every pass has its own.
# * RL-CSC counts K recursions *after* $z_0 = \mathrm{ReLU}(W_1 y)$. LISTA from $z_0 = 0$ needs one step more for the same.
#
# The derivation behind (b) and (d) is executed in {doc}`rlcsc_sparse_coding`; DRRN's own figures are in {doc}`drrn_structure`.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/rlcsc_structure.ipynb results/runs/rlcsc_structure.ipynb -p K 15 -p unfolded 2`
#
# No data is needed.
# ```
