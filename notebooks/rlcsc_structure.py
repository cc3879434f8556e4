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

# %% tags=["parameters"]
train: bool = False  # unused here: the structure does not depend on the weights
budget: float = 1.0  # unused here
seed: int = 0  # unused here
device: str = "cpu"  # unused here
K: int = 25  # recursions of RL-CSC, 2 or more
unfolded: int = 3  # recursions that are shown one by one, 2 or more
U: int = 9  # recursions of DRRN (residual units), 2 or more
T: int = 16  # recursions of DRCN, 2 or more
stages: int = 3  # steps of LISTA in SCN's place, 3 or more

# %%
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import pandas as pd
import torch
from IPython.display import Markdown, display
from torch import nn

from srlib.figures.style import table, use_style
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
folded = network.folded()
few = trace(RLCSC(unfolded, n=4, m=8), tiny)


def names(s: Structure) -> dict[int, str]:
    """The paper's symbols, from the attributes that hold the convolutions."""
    symbols = {i: s.operations[i].weight.partition(".")[0] for i in s.of_kind("convolution")}
    symbols = {i: f"${'_'.join(name)}$" for i, name in symbols.items()}  # W_1, S
    return {0: "$I_y$", len(s.operations) - 1: "$I_x$"} | symbols


# %% [markdown]
# ## Result: Figure 2, the framework

# %% tags=["hide-input"]
boxes = [Frame(unit, LAYER) for unit in few.units()]
figure(
    Drawing(folded, "(a)", names(folded), (Frame(tuple(folded.body), LAYER, lanes=1),), vertical=True),
    Drawing(few, "(b)", names(few), tuple(boxes), vertical=True),
)
plt.show()

# %% [markdown]
# The layers and their sizes, counted in the graph of the network at full width:

# %% tags=["hide-input"]
rows = []
for weight, users in network.weights().items():
    o = network.operations[users[0]]
    c_in = network.operations[o.inputs[0]].channels
    rows.append({"layer": weight.partition(".")[0], "maps in": c_in, "maps out": o.channels, "kernel": f"{o.kernel} × {o.kernel}",
                 "weights": f"{c_in * o.channels * o.kernel**2:,}", "used": len(users)})  # fmt: skip
display(table(pd.DataFrame(rows), "The trainable layers of RL-CSC"))
depths = {k: trace(RLCSC(k, n=4, m=8), tiny).depth for k in sorted({a["K"] for a in VARIANTS.values()} | {K})}
equal = sum(d == k + 5 for k, d in depths.items())
display(
    Markdown(
        f"There are **{len(rows)} trainable layers** with {params(RLCSC(K)):,} weights, as Section 3.4 says (six). "
        f"Eq. 13, $d = K + 5$, holds in **{equal} of {len(depths)}** traced graphs: "
        + ", ".join(f"K = {k}: {d}" for k, d in depths.items())
        + "."
    )
)

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


D = torch.rand(4, 6, generator=torch.Generator().manual_seed(seed))
lista = LISTA(D, lam=0.1, K=stages, h=Threshold())
coding = trace(lista, torch.zeros(1, 4)).collapsed("h")
# part of a network: its code is no supervised output
coding = coding.part(range(1, len(coding.operations) - 1))
recursions = {
    "DRRN": trace(DRRN(1, U, 4), tiny).folded(),
    "SCN (LISTA)": coding.folded(),
    "DRCN": trace(DRCN(T, 4), tiny).folded(),
    "RL-CSC": trace(RLCSC(K, 4, 8), tiny).folded(),
}

# %% tags=["hide-input"]
drawings = []
for letter, (name, s) in zip("abcd", recursions.items(), strict=True):
    texts = dict.fromkeys(s.of_kind("module"), "threshold")
    texts |= {i: "linear" for i in s.of_kind("convolution") if s.operations[i].name == "linear"}
    texts |= {0: "$y$", len(s.operations) - 1: "$z$"} if name.startswith("SCN") else {}
    drawings.append(Drawing(s, f"({letter}) {name}", texts, vertical=True))
figure(*drawings)
plt.show()

# %% [markdown]
# ## Result: the differences of Section 4, counted

# %% tags=["hide-input"]


def counted(s: Structure) -> dict[str, object]:
    """What happens in one recursion: the operations from where the loop comes in to where it leaves."""
    leave, enter = s.back[0]
    inside = s.operations[enter : leave + 1]
    kinds = [o.kind for o in inside]
    outside = [i for i, o in enumerate(inside) if o.kind == "addition" and any(j < enter for j in o.inputs)]
    return {
        "recursions": s.times,
        "weight layers": ", ".join(
            f"{o.kernel} × {o.kernel}" if o.name != "linear" else "linear" for o in inside if o.kind == "convolution"
        ),
        "BN": kinds.count("normalisation"),
        "adds the same value each time": "yes" if outside else "no",
        "goes back": {"addition": "a sum", "activation": "an activation"}[kinds[-1]],
        "predictions": "all" if s.of_kind("arithmetic") else "the last",
        "adds its input": "yes" if any(0 in s.operations[i].inputs for i in s.of_kind("addition")) else "no",
    }


facts = {name: counted(s) for name, s in recursions.items()}
table(
    pd.DataFrame([{"structure": name, **row} for name, row in facts.items()]),
    "One recursion of each, counted in the folded graphs",
)

# %% tags=["hide-input"]
ours, drrn, scn, drcn = (facts[name] for name in ("RL-CSC", "DRRN", "SCN (LISTA)", "DRCN"))
multi, bn = "adds the same value each time", "BN"
checks = {
    "RL-CSC has DRRN's multi-path structure: every recursion adds the same value": ours[multi] == drrn[multi] == "yes",
    "RL-CSC contains no batch normalisation, DRRN does": ours[bn] == 0 < drrn[bn],
    "RL-CSC has convolutions where SCN has linear layers": "linear" in scn["weight layers"]
    and "linear" not in ours["weight layers"],
    "RL-CSC learns the residual, SCN does not": ours["adds its input"] == "yes" and scn["adds its input"] == "no",
    "DRCN has no local residual learning, RL-CSC has": drcn[multi] == "no" and ours[multi] == "yes",
    "DRCN takes all intermediate predictions, RL-CSC the last": (drcn["predictions"], ours["predictions"])
    == ("all", "the last"),
}
frame = pd.DataFrame([{"structure": text, "in the graphs": "yes" if holds else "no"} for text, holds in checks.items()])
table(frame, "Section 4's differences")

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
