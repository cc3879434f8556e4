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
# # DRRN, Table 1 and Figures 2 to 5: four structures, drawn from the networks
#
# **Question.** DRRN explains itself by comparison: ResNet, VDSR, DRCN and DRRN as four small drawings and four formulae.
# Do the networks of this project have these structures, share their weights where the drawings say so, and compute these formulae?
#
# No figure below is drawn by hand.
# Each network runs once on a tiny image, every operation on the way is noted, and the notes are drawn.

# %% tags=["parameters", "hide-input"]
seed: int = 0  # of the random weights and the random image of the identities
B: int = 6  # recursive blocks of Figure 5
U: int = 3  # residual units a block of Figure 5, 1 or more
width: int = 4  # filters of every network; the structure does not depend on them

# %% tags=["hide-input"]
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %%
from functools import reduce

import pandas as pd
import torch
from IPython.display import Markdown, display
from torch import nn

from srlib.figures.structures import structure_counts
from srlib.figures.style import show, table, use_style
from srlib.graphs.draw_structure import (
    Drawing,
    Frame,
    block_frame,
    figure,
    layer_frame,
    prediction_texts,
    unit_frames,
)
from srlib.graphs.tracing import trace
from srlib.models.drcn import DRCN
from srlib.models.drrn import DRRN, VARIANTS
from srlib.models.vdsr import VDSR

torch.manual_seed(seed)
torch.set_grad_enabled(False)
use_style()
tiny = torch.zeros(1, 1, 4, 4)

# %% tags=["hide-input"]
# Captions, and what is seen for those who cannot see it.
FIGURES = {
    "fig-drrn-structures": {
        "caption": (
            "DRRN's Figure 2, drawn from the networks: (a) ResNet, (b) VDSR, (c) DRCN, (d) DRRN, each with six "
            "convolutions on its longest path. Green dashed: a residual unit. Blue dashed: the recursive layer. Red "
            "dashed: the recursive block. Convolutions of one number and colour share their weights. Purple: the global "
            "identity. Light blue: supervised; in (c) the sum Σ weights the predictions."
        ),
        "alt": (
            "Four networks as columns of boxes from the input x down to the output y. ResNet: six convolutions with "
            "numbers of their own, two green frames, each bypassed by a line from its own input. VDSR: six convolutions "
            "and one purple line from the input to the last addition. DRCN: the second convolution stands four times in a"
            " blue frame; from each a branch leads to one shared reconstruction, an addition of the input and a light "
            "blue prediction, and all four predictions run into a sum. DRRN: in a red frame one convolution and twice the"
            " same pair in green frames, both additions fed from one line that starts behind the first convolution; a "
            "purple line around everything."
        ),
    },
    "fig-drrn-unit": {
        "caption": (
            "DRRN's Figure 3: the u-th residual unit. Dashed: the residual function F, twice batch normalisation, ReLU "
            "and weights. The identity branch brings the block's first value."
        ),
        "alt": (
            "A chain of boxes from H of u minus 1: batch normalisation, ReLU, convolution 1, batch normalisation, ReLU, "
            "convolution 2, all in a dashed frame, then an addition to which a line leads from a second input, H of 0, "
            "and the result H of u."
        ),
    },
    "fig-drrn-blocks": {
        "caption": (
            "DRRN's Figure 4: recursive blocks with U = 1, 2 and 3, without batch normalisation and ReLU. Green dashed: "
            "residual units. All identities start behind the first convolution, whose value is the block's H of 0."
        ),
        "alt": (
            "Three rows. Each starts with convolution 1, then has one, two or three green frames with convolutions 2 and "
            "3 and an addition. One line starts behind convolution 1 and ends at every addition. In the second and third "
            "row the pairs have the same numbers and colours."
        ),
    },
    "fig-drrn-network": {
        "caption": (
            "DRRN's Figure 5, by default with B = 6 and U = 3: the network with a box for each recursive block (RB), and "
            "its last block opened."
        ),
        "alt": (
            "Upper row: the input x, the recursive blocks one after the other, a convolution, an addition and the output "
            "y, with a purple line from x to the addition. Lower row: the last recursive block in a red frame, one "
            "convolution and the residual units in green frames, with one line from behind the first convolution to every"
            " addition."
        ),
    },
}

# %% [markdown]
# ## Method
#
# `srlib.graphs.tracing` turns a forward pass into a graph of operations, each with the values it takes and the weight tensor it uses.
# Two convolutions share their weights if they use one tensor, so sharing is found and not asserted.
# `srlib.graphs.draw_structure` draws the graph.
# Convolutions are numbered by tensor: one number and one colour is one tensor, and white is a tensor that is used once.
# As in the paper, batch normalisation and ReLU are omitted "for clarity", and the outputs that are supervised are light blue.
#
# ## Code: four networks with six convolutions
#
# VDSR and DRRN come from their model files.
# ResNet is none of this project's models; its unit is Eq. 1, $\hat{x} = \sigma(W_2\,\sigma(W_1 x) + x)$.
# DRCN has two convolutions at either end where the drawing has one, so an identity takes the place of one of each.


# %%
class Unit(nn.Module):
    """The unit of Eq. 1: ReLU after the weights, the identity from its own input."""

    def __init__(self) -> None:
        super().__init__()
        self.W_1, self.W_2 = (
            nn.Conv2d(width, width, 3, padding=1) for _ in range(2)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.W_2(self.W_1(x).relu()) + x).relu()


# %%
first, last = nn.Conv2d(1, width, 3, padding=1), nn.Conv2d(width, 1, 3, padding=1)
resnet = nn.Sequential(first, Unit(), Unit(), last)
vdsr = VDSR(depth=6, width=width)
drcn = DRCN(T=4, width=width)
drcn.embedding_2, drcn.reconstruction_1 = nn.Identity(), nn.Identity()
drrn = DRRN(B=1, U=2, width=width)

# %%
models = {"ResNet": resnet, "VDSR": vdsr, "DRCN": drcn, "DRRN": drrn}
structures = {
    name: trace(model, tiny).without("normalisation", "activation")
    for name, model in models.items()
}

# %% [markdown]
# ## Result: Figure 2, the four structures

# %%
frames = {name: unit_frames(structure) for name, structure in structures.items()}
frames["DRCN"] = (layer_frame(structures["DRCN"]),)
frames["DRRN"] += (block_frame(structures["DRRN"], "blocks.0"),)
drawings = [
    Drawing(
        structure,
        f"({letter}) {name}",
        prediction_texts(structure),
        frames[name],
        vertical=True,
    )
    for letter, (name, structure) in zip("abcd", structures.items(), strict=True)
]
show(
    figure(*drawings),
    "fig-drrn-structures",
    pd.DataFrame(),
    **FIGURES["fig-drrn-structures"],
)

# %%
table(structure_counts(structures), "Counted in the traced graphs")

# %% [markdown]
# ## Result: Table 1, the four formulae
#
# | method | key strategies, as printed | formula | code |
# |:--|:--|:--|:--|
# | ResNet | *chain* mode local residual learning | $y = f_{Rec}(\mathcal{U}_U(\dots(\mathcal{U}_1(f_1(x)))))$ | `Unit` above |
# | VDSR | global residual learning | $y = f_{Rec}(f_{d-1}(\dots(f_1(x)))) + x$ | `srlib.models.vdsr` |
# | DRCN | global residual learning + recursive learning (*single weight layer*) + multi-CNN ensemble | $y = \sum_{t=1}^T w_t \cdot (f_{Rec}(f_2^{(t)}(f_1(x))) + x)$ | `srlib.models.drcn` |
# | DRRN | *multi-path* mode local residual learning + global residual learning + recursive learning (*multiple weight layers* in the residual unit) | $y = f_{Rec}(\mathcal{R}_B(\dots(\mathcal{R}_1(x)))) + x$ | `srlib.models.drrn` |
#
# Here the formulae are composed from the layers of each network and compared with the network.
# The weights are random and disturbed, the statistics of the batch normalisation included, so that equality cannot come from zeros
# and ones. DRCN is complete here, with two convolutions at either end.


# %%
def disturb(model: nn.Module) -> nn.Module:
    """Add random numbers to all weights, and make the statistics of batch normalisation random."""
    for p in model.parameters():
        p.add_(0.05 * torch.randn_like(p))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 1.5)
    return model.eval()


x = torch.rand(1, 1, 24, 20)
resnet, vdsr = disturb(resnet), disturb(VDSR(20, width))
drcn, drrn = disturb(DRCN(16, width)), disturb(DRRN(B, U, width))


# %%
def compose(functions, x):
    """f_n(...(f_1(x)))."""
    return reduce(lambda value, f: f(value), functions, x)


def recursive_block(block, x):
    """R_b: x_b = G^(U)(f_b(x_{b-1})), G(H) = F(H, W) + H^0 (Eqs. 4, 6, 8)."""
    H0 = block.conv(block.norm(x).relu())  # f_b

    def unit(u):
        norm_1, norm_2 = block.norms_1[u], block.norms_2[u]
        return lambda H: (
            block.conv_2(norm_2(block.conv_1(norm_1(H).relu())).relu()) + H0
        )

    return compose([unit(u) for u in range(len(block.norms_1))], H0)


# %%
def f_2(H):
    """DRCN's recursive layer."""
    return drcn.recursion(H).relu()


def f_rec(H):
    """DRCN's reconstruction."""
    return drcn.reconstruction(drcn.reconstruction_1(H).relu())


f_vdsr = [lambda H, f=f: f(H).relu() for f in vdsr.convs[:-1]]
y_t = [f_rec(compose([f_2] * t, drcn.embed(x))) + x for t in range(1, 17)]
R_b = [lambda H, block=block: recursive_block(block, H) for block in drrn.blocks]

# %%
formulae = {
    "ResNet, U = 2": (resnet, compose(resnet, x)),
    "VDSR, d = 20": (vdsr, vdsr.reconstruction(compose(f_vdsr, x)) + x),
    "DRCN, T = 16": (drcn, sum(w * y for w, y in zip(drcn.w, y_t, strict=True))),
    f"DRRN, B = {B}, U = {U}": (
        drrn,
        drrn.reconstruction(drrn.norm(compose(R_b, x)).relu()) + x,
    ),
}
differences = {
    name: float((y - model(x)).abs().max())
    for name, (model, y) in formulae.items()
}

# %%
rows = [
    {
        "structure": name,
        "largest output": f"{float(y.abs().max()):.2f}",
        "largest difference": f"{differences[name]:.0e}"
        if differences[name]
        else "0",
    }
    for name, (_, y) in formulae.items()
]
table(
    pd.DataFrame(rows),
    f"Table 1's formulae against the networks, random weights, {width} filters",
)

# %%
exact = list(differences.values()).count(0)
text = f"**{exact} of {len(differences)} formulae equal their network to the last bit.**"
if exact < len(differences):
    text += f" The others differ by at most {max(differences.values()):.0e}."
display(Markdown(text))

# %% [markdown]
# ## Result: Figure 3, a residual unit
#
# The unit is cut out of the traced network: from the addition before to its own.
# What it takes from outside are two values, $H^{u-1}$ and $H^0$.
# Nothing is omitted here.

# %%
two_units = trace(DRRN(1, 2, width), tiny)
unit = two_units.part(two_units.units()[1])  # the second, whose two inputs differ
texts = {0: "$H^0$", 1: "$H^{u-1}$", len(unit.operations) - 1: "$H^u$"}
function = [
    i
    for i, operation in enumerate(unit.operations)
    if operation.kind not in ("input", "addition", "output")
]
drawing = Drawing(
    unit, "", texts, (Frame(tuple(function), "0.15", r"$\mathcal{F}$"),)
)
show(figure(drawing), "fig-drrn-unit", pd.DataFrame(), **FIGURES["fig-drrn-unit"])

# %% [markdown]
# ## Result: Figure 4, recursive blocks

# %%
drawings = []
for units in (1, 2, 3):
    network = trace(DRRN(1, units, width), tiny).without(
        "normalisation", "activation"
    )
    block = network.part(network.within("blocks.0"))
    texts = {0: "$x_{b-1}$", len(block.operations) - 1: "$x_b$"}
    drawings.append(Drawing(block, f"U = {units}", texts, unit_frames(block)))
show(
    figure(*drawings, stacked=True),
    "fig-drrn-blocks",
    pd.DataFrame(),
    **FIGURES["fig-drrn-blocks"],
)

# %% [markdown]
# ## Result: Figure 5, the network

# %%
network = trace(DRRN(B, U, width), tiny).without("normalisation", "activation")
blocks = network
for b in range(B):
    blocks = blocks.collapsed(f"blocks.{b}")
texts = dict.fromkeys(blocks.of_kind("convolution"), "conv")
texts |= {i: f"RB {b}" for b, i in enumerate(blocks.of_kind("module"), start=1)}
upper_row = Drawing(blocks, f"B = {B}, U = {U}", texts)

# %%
last_block = network.part(network.within(f"blocks.{B - 1}"))
texts = {
    0: f"$x_{{{B - 1}}}$" if B > 1 else "$x$",
    len(last_block.operations) - 1: f"$x_{{{B}}}$",
}
frames = (block_frame(last_block, f"blocks.{B - 1}"), *unit_frames(last_block))
lower_row = Drawing(last_block, f"RB {B}", texts, frames)
show(
    figure(upper_row, lower_row, stacked=True),
    "fig-drrn-network",
    pd.DataFrame(),
    **FIGURES["fig-drrn-network"],
)

# %% [markdown]
# ## Result: Eq. 7, the depth
#
# $d = (1 + 2U)B + 1$ is compared with the convolutions on the longest path of the traced graph, for all structures that the paper
# trains, and for U = 0, which "becomes VDSR".
# A block has three weight tensors, whatever U is; the last convolution is one more.


# %%
def counts_in_graph(B, U):
    """Depth, weight tensors and additions of DRRN, counted in the traced graph."""
    structure = trace(DRRN(B, U, width), tiny)
    return (
        structure.depth,
        len(structure.weights()),
        len(structure.of_kind("addition")),
    )


def counts_by_formula(B, U):
    """Depth by Eq. 7; three tensors a block, or one where U is 0, and the last; an addition a unit and the global one."""
    return (1 + 2 * U) * B + 1, (3 if U else 1) * B + 1, U * B + 1


# %%
paper_structures = {
    (a["B"], a["U"]) for a in VARIANTS.values() if a.keys() == {"B", "U"}
}
rows = []
for b, u in sorted(paper_structures | {(B, U), (19, 0)}):
    graph, formula = counts_in_graph(b, u), counts_by_formula(b, u)
    row = {
        "structure": f"B{b}U{u}",
        "Eq. 7": formula[0],
        "traced": graph[0],
        "weight tensors": graph[1],
    }
    rows.append(
        row
        | {
            "additions": graph[2],
            "as stated": "yes" if graph == formula else "no",
        }
    )
depths = pd.DataFrame(rows)
table(depths, "Depth by Eq. 7 and counted; weight tensors and additions counted")

# %%
networks = VDSR(20, width, bn=True), DRRN(19, 0, width)
vdsr_kinds, drrn_kinds = (
    [operation.kind for operation in trace(network, tiny).operations]
    for network in networks
)
same, order = (
    ("the same", "the same")
    if vdsr_kinds == drrn_kinds
    else ("different", "another")
)
text = (
    f"**{(depths['as stated'] == 'yes').sum()} of {len(depths)} structures** have the depth of Eq. 7, 3B + 1 weight tensors "
    f"(B + 1 for U = 0) and UB + 1 additions. DRRN with U = 0 and VDSR with batch normalisation run {same} "
    f"{len(vdsr_kinds)} operations in {order} order."
)
display(Markdown(text))

# %% [markdown]
# ## What we learned
#
# * The networks here have the structure that the captions and formulae describe: depth, additions, sharing. The paper's drawings are
#   images, which we have not compared.
# * What "multi-path" means in the code is where a line starts. In (a) each identity starts at its unit's own input, in (d) all start
#   behind the first convolution. DRRN differs from ResNet in sharing, in its order of operations and in its last addition, too.
# * That a network equals its formula says most where the formula is written out by hand, as DRRN's, DRCN's and VDSR's are; ResNet's is the
#   composition of its own parts.
# * Figure 2 hides that a unit's batch normalisation is *not* shared: {doc}`rlcsc_structure` shows DRRN with it, and
#   {doc}`recurrence` unrolls it.
# * DRCN's drawing has one convolution for embedding and one for reconstruction. The network has two of each, hence its twenty layers.
# * DRCN runs its reconstruction once for every recursion. Its depth is that of DRRN in (d), but not its number of convolutions run.
#
# What all of this buys in PSNR is the subject of {doc}`drrn_BU_grid`; the other networks are described in {doc}`/models`.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/drrn_structure.ipynb results/runs/drrn_structure.ipynb -p B 3 -p U 2`
#
# No data is needed. To draw a network of your own: `figure(Drawing(trace(model, image)))`.
# ```
