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

# %% tags=["parameters"]
train: bool = False  # unused here: structures and identities hold for any weights
budget: float = 1.0  # unused here
seed: int = 0  # of the random weights and the random image of the identities
device: str = "cpu"  # unused here: the CPU's sums are repeatable
B: int = 6  # recursive blocks of Figure 5
U: int = 3  # residual units a block of Figure 5, 1 or more
width: int = 4  # filters of every network; the structure does not depend on them

# %%
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
from functools import reduce

import matplotlib.pyplot as plt
import pandas as pd
import torch
from IPython.display import Markdown, display
from torch import nn

from srlib.figures.style import table, use_style
from srlib.graphs.draw_structure import BLOCK, LAYER, UNIT, Drawing, Frame, figure
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
        self.W_1, self.W_2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.W_2(self.W_1(x).relu()) + x).relu()


first, last = nn.Conv2d(1, width, 3, padding=1), nn.Conv2d(width, 1, 3, padding=1)
resnet = nn.Sequential(first, Unit(), Unit(), last)
vdsr = VDSR(depth=6, width=width)
drcn = DRCN(T=4, width=width)
drcn.embedding_2, drcn.reconstruction_1 = nn.Identity(), nn.Identity()
drrn = DRRN(B=1, U=2, width=width)
models = {"ResNet": resnet, "VDSR": vdsr, "DRCN": drcn, "DRRN": drrn}
traced = {name: trace(model, tiny) for name, model in models.items()}
simple = {name: s.without("normalisation", "activation") for name, s in traced.items()}

# %% [markdown]
# ## Result: Figure 2, the four structures

# %% tags=["hide-input"]
drawings = []
for letter, (name, s) in zip("abcd", simple.items(), strict=True):
    frames = [Frame(unit, UNIT) for unit in s.units()]
    texts = {}
    if name == "DRCN":
        recursive = next(users for users in s.weights().values() if len(users) > 1)
        frames = [Frame(tuple(recursive), LAYER)]
        texts = {i: f"$y_{t}$" for t, i in enumerate(s.of_kind("arithmetic"), start=1)}
    if name == "DRRN":
        frames.append(Frame(tuple(s.within("blocks.0")), BLOCK, lanes=1))
    drawings.append(Drawing(s, f"({letter}) {name}", texts, tuple(frames), vertical=True))
figure(*drawings)
plt.show()

# %% tags=["hide-input"]
rows = []
for name, s in simple.items():
    convolutions, tensors = s.of_kind("convolution"), s.weights()
    rows.append(
        {
            "structure": name,
            "depth": s.depth,
            "convolutions run": len(convolutions),
            "weight tensors": len(tensors),
            "most uses of one": max(map(len, tensors.values())),
            "additions": len(s.of_kind("addition")),
            "residual units": len(s.units()),
            "identity from x": any(0 in s.operations[i].inputs for i in s.of_kind("addition")),
            "supervised": max(1, len(s.of_kind("arithmetic"))) + (name == "DRCN"),
        }
    )
table(pd.DataFrame(rows).replace({True: "yes", False: "no"}), "Counted in the traced graphs")

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
def stirred(model: nn.Module) -> nn.Module:
    for p in model.parameters():
        p.add_(0.05 * torch.randn_like(p))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 1.5)
    return model.eval()


def compose(functions, x):
    """f_n(...(f_1(x)))."""
    return reduce(lambda value, f: f(value), functions, x)


def recursive_block(block, x):
    """R_b: x_b = G^(U)(f_b(x_{b-1})), G(H) = F(H, W) + H^0 (Eqs. 4, 6, 8)."""
    H0 = block.conv(block.norm(x).relu())  # f_b

    def unit(u):
        norm_1, norm_2 = block.norms_1[u], block.norms_2[u]
        return lambda H: block.conv_2(norm_2(block.conv_1(norm_1(H).relu())).relu()) + H0

    return compose([unit(u) for u in range(len(block.norms_1))], H0)


x = torch.rand(1, 1, 24, 20)
resnet, vdsr = stirred(resnet), stirred(VDSR(20, width))
drcn, drrn = stirred(DRCN(16, width)), stirred(DRRN(B, U, width))
f_1, f_2 = drcn.embed, lambda H: drcn.recursion(H).relu()
f_rec = lambda H: drcn.reconstruction(drcn.reconstruction_1(H).relu())  # noqa: E731
f_vdsr = [lambda h, f=f: f(h).relu() for f in vdsr.convs[:-1]]
R_b = [lambda h, r=r: recursive_block(r, h) for r in drrn.blocks]
y_t = [f_rec(compose([f_2] * t, f_1(x))) + x for t in range(1, 17)]
formulae = {
    "ResNet, U = 2": (resnet, compose(resnet, x)),
    "VDSR, d = 20": (vdsr, vdsr.reconstruction(compose(f_vdsr, x)) + x),
    "DRCN, T = 16": (drcn, sum(w * y for w, y in zip(drcn.w, y_t, strict=True))),
    f"DRRN, B = {B}, U = {U}": (
        drrn,
        drrn.reconstruction(drrn.norm(compose(R_b, x)).relu()) + x,
    ),
}
gaps = {name: float((y - model(x)).abs().max()) for name, (model, y) in formulae.items()}

# %% tags=["hide-input"]
rows = [
    {
        "structure": name,
        "largest output": f"{float(y.abs().max()):.2f}",
        "largest difference": "0" if gaps[name] == 0 else f"{gaps[name]:.0e}",
    }
    for name, (_, y) in formulae.items()
]
display(table(pd.DataFrame(rows), f"Table 1's formulae against the networks, random weights, {width} filters"))
exact = sum(gap == 0 for gap in gaps.values())
text = f"**{exact} of {len(gaps)} formulae equal their network to the last bit.**"
display(Markdown(text + (f" The others differ by at most {max(gaps.values()):.0e}." if exact < len(gaps) else "")))

# %% [markdown]
# ## Result: Figure 3, a residual unit
#
# The unit is cut out of the traced network: from the addition before to its own.
# What it takes from outside are two values, $H^{u-1}$ and $H^0$.
# Nothing is omitted here.

# %% tags=["hide-input"]
network = trace(DRRN(B, U, width), tiny)
block = network.part(network.within("blocks.0"))
two_units = trace(DRRN(1, 2, width), tiny)
unit = two_units.part(two_units.units()[1])  # the second, whose two inputs differ
last = len(unit.operations) - 1
function = tuple(i for i, o in enumerate(unit.operations) if o.kind not in ("input", "addition", "output"))
figure(Drawing(unit, "", {0: "$H^0$", 1: "$H^{u-1}$", last: "$H^u$"}, (Frame(function, "0.15", r"$\mathcal{F}$"),)))
plt.show()

# %% [markdown]
# ## Result: Figure 4, recursive blocks

# %% tags=["hide-input"]
drawings = []
for units in (1, 2, 3):
    s = trace(DRRN(1, units, width), tiny).without("normalisation", "activation")
    s = s.part(s.within("blocks.0"))
    texts = {0: "$x_{b-1}$", len(s.operations) - 1: "$x_b$"}
    drawings.append(Drawing(s, f"U = {units}", texts, tuple(Frame(unit, UNIT) for unit in s.units())))
figure(*drawings, stacked=True)
plt.show()

# %% [markdown]
# ## Result: Figure 5, the network

# %% tags=["hide-input"]
whole = network
for b in range(B):
    whole = whole.collapsed(f"blocks.{b}")
whole = whole.without("normalisation", "activation")
texts = dict.fromkeys(whole.of_kind("convolution"), "conv")
texts |= {i: f"RB {b}" for b, i in enumerate(whole.of_kind("module"), start=1)}
s = network.without("normalisation", "activation")
s = s.part(s.within(f"blocks.{B - 1}"))
ends = {0: f"$x_{{{B - 1}}}$" if B > 1 else "$x$", len(s.operations) - 1: f"$x_{{{B}}}$"}
frames = (Frame(tuple(range(1, len(s.operations) - 1)), BLOCK, lanes=1), *(Frame(unit, UNIT) for unit in s.units()))
figure(Drawing(whole, f"B = {B}, U = {U}", texts), Drawing(s, f"RB {B}", ends, frames), stacked=True)
plt.show()

# %% [markdown]
# ## Result: Eq. 7, the depth
#
# $d = (1 + 2U)B + 1$ is compared with the convolutions on the longest path of the traced graph, for all structures that the paper
# trains, and for U = 0, which "becomes VDSR".
# A block has three weight tensors, whatever U is; the last convolution is one more.

# %% tags=["hide-input"]
structures = [(a["B"], a["U"]) for a in VARIANTS.values() if a.keys() == {"B", "U"}] + [(B, U), (19, 0)]
rows = []
for b, u in sorted(set(structures)):
    s = trace(DRRN(b, u, width), tiny)
    found, wanted = (
        (s.depth, len(s.weights()), len(s.of_kind("addition"))),
        ((1 + 2 * u) * b + 1, (3 if u else 1) * b + 1, u * b + 1),
    )
    rows.append({"structure": f"B{b}U{u}", "Eq. 7": wanted[0], "traced": found[0], "weight tensors": found[1], "additions": found[2],
                 "as stated": "yes" if found == wanted else "no"})  # fmt: skip
display(table(pd.DataFrame(rows), "Depth by Eq. 7 and counted; weight tensors and additions counted"))
agree = sum(row["as stated"] == "yes" for row in rows)
plain, deep = trace(VDSR(20, width, bn=True), tiny), trace(DRRN(19, 0, width), tiny)
kinds = [[o.kind for o in s.operations] for s in (plain, deep)]
display(
    Markdown(
        f"**{agree} of {len(rows)} structures** have the depth of Eq. 7, 3B + 1 weight tensors (B + 1 for U = 0) and UB + 1 additions. "
        f"DRRN with U = 0 and VDSR with batch normalisation run {'the same' if kinds[0] == kinds[1] else 'different'} "
        f"{len(kinds[0])} operations in {'the same' if kinds[0] == kinds[1] else 'another'} order."
    )
)

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
