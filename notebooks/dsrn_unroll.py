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
# # DSRN, Figure 3: how long to unroll
#
# **Question.** Does PSNR grow with the unrolling length T, and does the gain "seem to diminish after T = 7"?
#
# Weights are shared by all steps, so T costs time but no parameters. The figure's values are in the paper's image only; at T = 7
# the same network stands in Table 1.

# %% tags=["parameters", "hide-input"]
train: bool = False  # True: train here and now; False: show the records
budget: float = 0.02  # fraction of the recipe's iterations
seed: int = 0  # of weights, patch order and augmentation
device: str = "auto"  # cpu, cuda or auto
experiments: list[str] = [
    "dsrn_t1_x2_w16",
    "dsrn_t2_x2_w16",
    "dsrn_t3_x2_w16",
]  # what is trained
data: str = ""  # training set or folder; default: the experiment's
runs: str = ""  # records of this run; default: below results/runs

# %% tags=["hide-input"]
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %%
import pandas as pd
from IPython.display import Markdown, display

from srlib.figures.orderings import orders
from srlib.figures.style import COLOURS, show, table, use_style
from srlib.figures.sweeps import sweep, sweep_figure, sweep_table
from srlib.models import MODELS, macs_per_pixel, meta_model, params
from srlib.papers import printed
from srlib.papers.dsrn import UNROLLINGS
from srlib.records.run import rerun

use_style()

# %% tags=["hide-input"]
# Captions, and what is seen for those who cannot see it.
FIGURES = {
    "fig-dsrn-unroll": {
        "caption": (
            "DSRN's Figure 3 regenerated: PSNR on Set5 ×2 against the unrolling length. Hollow: the value of Table 1 (T ="
            " 7). Filled: our records; diamonds: this run."
        ),
        "alt": (
            "PSNR on Set5 at scale 2 against the unrolling lengths 1 to 9. The paper's text gives one value, at 7; ours "
            "are added as they are trained."
        ),
    },
}

# %% [markdown]
# ## Method
#
# Six networks at ×2, trained alike but for T. What T changes is counted on the networks:

# %%
sizes = []
for T in UNROLLINGS:
    constructor = MODELS[f"dsrn_t{T}_x2"]
    network = meta_model(constructor)
    row = {
        "T": T,
        "depth": network.depth,
        "2T + 4": 2 * T + 4,
        "weights": f"{params(network):,}",
    }
    sizes.append(
        row
        | {"multiplications a pixel": f"{macs_per_pixel(constructor, 2):,.0f}"}
    )
table(pd.DataFrame(sizes), "What T costs")

# %% [markdown]
# ## Code: training
#
# One call for each network; a killed run goes on where it stopped when the same command is given again.

# %%
options = {
    "budget": budget,
    "seed": seed,
    "device": device,
    "data": data,
    "runs": runs,
}
fresh = rerun(experiments, "dsrn_unroll", **options) if train else None
if fresh:
    display(table(fresh.table(), "This run"))
else:
    display(
        Markdown("Nothing is trained: records and printed numbers are shown.")
    )

# %% [markdown]
# ## Result: Figure 3
#
# Two protocols are candidates ({doc}`/protocols`); on Set5 their PSNR hardly differs. Shown is `lapsrn`.

# %%
networks = {("DSRN", T): f"dsrn_t{T}_x2" for T in UNROLLINGS}
published = {("DSRN", 7): printed("dsrn.t1.set5.x2.dsrn.psnr")}
points = sweep(networks, published, "Set5", 2, "lapsrn", fresh)
figure = sweep_figure(
    points, "unrolling length T", UNROLLINGS, {"DSRN": COLOURS["dsrn"]}, "Set5 ×2"
)
show(figure, "fig-dsrn-unroll", points, **FIGURES["fig-dsrn-unroll"])

# %%
table(sweep_table(points, "T"), "PSNR on Set5 ×2 (dB), protocol lapsrn")

# %% [markdown]
# ## The claims of order

# %%
display(Markdown(orders("dsrn", ("Figure 3", "Section 5.3"))))

# %% [markdown]
# ## What we learned
#
# * The depth is 2T + 4 as printed, and the weights do not depend on T: both counted above.
# * Every step is a prediction that enters the average (Eq. 5), so a network trained at T = 7 can be read out after each step:
#   {doc}`dsrn_states`.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/dsrn_unroll.ipynb results/runs/dsrn_unroll.ipynb -p train True`
#
# Three narrow networks. `-p experiments dsrn_t1_x2,dsrn_t7_x2 -p budget 1 -p device cuda` trains the paper's.
# In the book, the box below the question says what each costs.
# ```
