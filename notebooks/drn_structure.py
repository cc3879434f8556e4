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
# # DRN, Table 1 and Figures 3 to 5: groups, blocks, and the parameters saved
#
# **Question.** DRN is a network of groups of blocks, with a skip over each, and every block adds some of its channels to its input
# and keeps the others as new.
# Is that what the network runs, is its reconstruction that of Table 1, and has DRN+ "54 % fewer parameters compared with EDSR"?
#
# No figure below is drawn by hand.
# The network runs once on a tiny image, every operation is noted, and the notes are drawn, with the channels that were seen.

# %% tags=["parameters", "hide-input"]
scale: int = 3  # of the network that is drawn: 2, 3 or 4
G: int = 3  # groups drawn; the paper has 6
K: int = 3  # blocks a group drawn; the paper has 9

# %% tags=["hide-input"]
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %%
import pandas as pd
import torch
from IPython.display import Markdown, display
from torch import nn

from srlib.figures.structures import (
    block_table,
    channel_notes,
    kernel_texts,
    readings_table,
    reconstruction_table,
    shuffle_factor,
)
from srlib.figures.style import show, table, use_style
from srlib.graphs.draw_structure import Drawing, figure
from srlib.graphs.tracing import trace
from srlib.models import MODELS, meta_model, params_total
from srlib.models.drn import DRN, ResidualDistilling
from srlib.papers import printed
from srlib.papers.checks.drn import edsr_x4

use_style()
tiny = torch.zeros(1, 3, 4, 4)

# %% tags=["hide-input"]
# Captions, and what is seen for those who cannot see it.
FIGURES = {
    "fig-drn-network": {
        "caption": (
            "DRN's Figure 3, drawn from the network with few groups: low-level features, residual distilling groups "
            "(RDG), the long skip, and the reconstruction. Below the boxes: channels in and out."
        ),
        "alt": (
            "A row of boxes: the low resolution image, a 3 by 3 convolution, the groups one after the other, an addition "
            "fed from behind the first convolution, a 3 by 3 convolution to more channels, the pixel shuffle, a 3 by 3 "
            "convolution to three channels, and the super-resolved image."
        ),
    },
    "fig-drn-group": {
        "caption": (
            "DRN's Figure 4: the first group, with its blocks (RDB), the 1 × 1 fusion of Eq. 14 and the long skip of Eq. "
            "15. Each block widens the features by d; the fusion brings them back."
        ),
        "alt": (
            "A row of boxes: Y of g minus 1, the blocks one after the other with growing channels, a 1 by 1 convolution "
            "back to the first width, ELU, an addition to which a line leads from the input, and Y of g."
        ),
    },
    "fig-drn-block": {
        "caption": (
            "DRN's Figure 5: the last block of the group. Three convolutions make D_i + d channels (Eq. 10); the first "
            "D_i are added to the input and the d others concatenated to the sum (Eq. 11), so the next block has d more."
        ),
        "alt": (
            "A row of boxes: the input D_i, a 1 by 1, a 3 by 3 and a 1 by 1 convolution, each followed by ELU. Behind the"
            " last the channels part: the first D_i go on to an addition, to which a line leads from the input, the d "
            "others go below; a concatenation joins both to the D_i of the next block."
        ),
    },
}

# %% [markdown]
# ## Method
#
# `srlib.graphs.tracing` turns a forward pass into a graph of operations with the channels of each value.
# A group, then a block, is collapsed to a box or cut out of the graph.
# The drawings have fewer groups and blocks than the paper's network (6 and 9) to be legible; the tables are of the full one.
#
# ## Code: one network, three distances

# %%
network = trace(DRN(scale, G=G, K=K), tiny)

overview = network
for g in range(G):
    overview = overview.collapsed(f"groups.{g}")

group = network.part(network.within("groups.0"))
for k in range(K):
    group = group.collapsed(f"groups.0.blocks.{k}")

block = network.part(network.within(f"groups.0.blocks.{K - 1}"))

# %% [markdown]
# ## Result: Figure 3, the network

# %%
texts = {i: f"RDG {g}" for g, i in enumerate(overview.of_kind("module"), start=1)}
texts |= {
    i: f"shuffle ×{shuffle_factor(overview, i)}"
    for i in overview.of_kind("shuffle")
}
texts |= {0: "$I_{LR}$", len(overview.operations) - 1: "$I_{SR}$"}
drawing = Drawing(
    overview, "", kernel_texts(overview) | texts, notes=channel_notes(overview)
)
show(
    figure(drawing),
    "fig-drn-network",
    pd.DataFrame(),
    **FIGURES["fig-drn-network"],
)

# %% [markdown]
# ## Result: Figure 4, a residual distilling group

# %%
texts = {i: f"RDB {k}" for k, i in enumerate(group.of_kind("module"), start=1)}
texts |= {0: "$Y_{g-1}$", len(group.operations) - 1: "$Y_g$"}
drawing = Drawing(
    group, "", kernel_texts(group) | texts, notes=channel_notes(group)
)
show(figure(drawing), "fig-drn-group", pd.DataFrame(), **FIGURES["fig-drn-group"])

# %% [markdown]
# ## Result: Figure 5, a residual distilling block

# %%
first, second = block.of_kind("slice")
texts = {
    0: "$D_i$",
    len(block.operations) - 1: "$D_{i+1}$",
    first: "first $D_i$",
    second: "last $d$",
}
notes = channel_notes(block) | {
    i: f"{block.operations[i].channels}" for i in texts
}
drawing = Drawing(block, "", kernel_texts(block) | texts, notes=notes)
show(figure(drawing), "fig-drn-block", pd.DataFrame(), **FIGURES["fig-drn-block"])

# %% [markdown]
# Eq. 9 wants $D_{i+1} - D_i = d$. The channels of the full network's blocks, read off its graph:

# %%
full_size = trace(DRN(scale), tiny)
blocks = [
    name
    for name, module in DRN(scale).groups[0].named_modules()
    if isinstance(module, ResidualDistilling)
]
channels = block_table(full_size, [f"groups.0.{name}" for name in blocks])
table(channels, "Channels in a group of DRN, C = 64 and d = 8")

# %%
text = f"Every block adds **{', '.join(map(str, channels['out − in'].unique()))}** channels. "
text += f"The network at ×{scale} has a depth of {full_size.depth} convolutions, "
text += f"{len(full_size.of_kind('addition'))} additions and {len(full_size.of_kind('concatenation'))} concatenations."
display(Markdown(text))

# %% [markdown]
# ## Result: Table 1, the reconstruction
#
# Printed: *conv input* $C \to C M M$, *PixelShuffle (×M)* $C M M \to C$, *conv output* $C \to 3$.
# Read off the network at each scale, from the last addition on:

# %%
networks = {factor: trace(DRN(factor, G=1, K=1), tiny) for factor in (2, 3, 4)}
table(reconstruction_table(networks), "The reconstruction, C = 64")

# %% [markdown]
# At ×2 and ×3 this is the printed table with M = 2 and 3.
# At ×4 it is the printed table twice with M = 2, as in EDSR. That is a reading: with M = 4 in one stage, as printed, the claim about
# EDSR would fail, as the next table shows.
#
# ## Result: the parameters
#
# EDSR at ×4 is counted from its structure (`edsr_x4`): 256 filters, 32 residual blocks of two 3 × 3 convolutions with bias, one convolution
# after them, an upsampler of two stages, one convolution to RGB. Its shifts by the mean colour are fixed and do not count.


# %%
def conv(c_in: int, c_out: int) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, 3, padding=1)


def single_stage(model: DRN) -> DRN:
    """Table 1 at its word: one stage at x4."""
    C = model.reconstruction.in_channels
    model.F_UP = nn.Sequential(conv(C, 16 * C), nn.PixelShuffle(4))
    return model


# %%
def full_width(model: DRN) -> DRN:
    """Blocks whose inner convolutions have as many channels as their input, not half."""
    for block in (
        module
        for module in model.modules()
        if isinstance(module, ResidualDistilling)
    ):
        D_i, out = block.D_i, block.expand.out_channels
        block.reduce, block.conv = nn.Conv2d(D_i, D_i, 1), conv(D_i, D_i)
        block.expand = nn.Conv2d(D_i, out, 1)
    return model


# %%
with torch.device("meta"):  # shapes without memory
    readings = {
        "as here: half width, fusion a group, two stages": (
            DRN(4),
            DRN(4, C=256),
        ),
        "fusion at the end of each block": (
            DRN(4, fusion="block"),
            DRN(4, C=256, fusion="block"),
        ),
        "one stage at ×4": (single_stage(DRN(4)), single_stage(DRN(4, C=256))),
        "inner convolutions of full width": (
            full_width(DRN(4)),
            full_width(DRN(4, C=256)),
        ),
    }

# %%
counts = readings_table(readings, edsr_x4())
formats = {"DRN": "{:,}", "DRN+": "{:,}", "DRN+ against EDSR": "{:+.1f} %"}
table(
    counts, f"Parameters at ×4 under four readings; EDSR has {edsr_x4():,}"
).format(formats)

# %%
percent_fewer = printed("drn.f2.parameters")  # in Section 3.3
fewer = -counts.set_index("structure")["DRN+ against EDSR"]
equal = [
    name for name, percent in fewer.items() if round(percent) == percent_fewer
]
text = f"Section 3.3 says {percent_fewer:.0f} % fewer. "
text += (
    f"**{len(equal)} of {len(fewer)} readings** give that: {'; '.join(equal)}. "
)
text += f"With the reading of this book it is **{fewer.iloc[0]:.1f} %**."
display(Markdown(text))

# %%
variants = {
    name: meta_model(make)
    for name, make in MODELS.items()
    if name.startswith(("drn_x", "drn_plus_x"))
}
sizes = [
    {"structure": name, "parameters": f"{params_total(model):,}"}
    for name, model in variants.items()
]
table(pd.DataFrame(sizes), "All that is trained, in the published variants")

# %% [markdown]
# ## What we learned
#
# * The figures are what the network runs: widening blocks, one fusion and one skip a group, one skip over all groups.
# * A block is residual and dense at once. Its addition covers the channels that its input had, its concatenation the new ones.
#   The new channels of one block are among those that the next block adds to.
# * **The inner width of a block is nowhere printed.** Half the input's width is inferred from the 54 %, and so is the second stage
#   at ×4. The percentage cannot say where the fusion stands: both places give nearly the same count.
# * The inference rests on one number of two digits. It cannot exclude other combinations that were not tried here.
#
# The model file `srlib.models.drn` lists all readings; {doc}`/models` compares the networks.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/drn_structure.ipynb results/runs/drn_structure.ipynb -p scale 4 -p G 2`
#
# No data is needed.
# ```
