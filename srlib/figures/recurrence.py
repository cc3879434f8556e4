"""Recurrent graphs in numbers: the same as their models, depth, weights, and how their states grow (DSRN, Sections 3 to 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor, nn

from srlib.figures.style import COLOURS
from srlib.graphs.recurrence import Recurrence, Unrolled, depth, unroll
from srlib.models import DSRN, params

PUBLISHED_T = 7  # unrolling length of DSRN's paper
# Networks whose depth and weights are drawn against T.
_LINES = {
    "DSRN": {"color": COLOURS["dsrn"], "marker": "o"},
    "DSRN, untied": {"color": COLOURS["dsrn"], "marker": "o", "linestyle": "--", "markerfacecolor": "none"},
    "single state": {"color": COLOURS["rlcsc"], "marker": "D"},
    "DRRN, B = 1": {"color": COLOURS["drrn"], "marker": "s"},
    "DRCN (128 filters)": {"color": COLOURS["vdsr"], "marker": "^"},
}


def compare_with_models(networks: Mapping[str, tuple[Recurrence, nn.Module, tuple[Tensor, ...]]]) -> pd.DataFrame:
    """Graphs beside the models that they are made of: size, depth, weights, and the largest difference of their outputs.

    Each network has a name, a graph, its model, and the images that the graph takes; a DSRN takes them all, another model the
    first.
    """
    rows = []
    for name, (graph, model, images) in networks.items():
        output = model(*images) if isinstance(model, DSRN) else model(images[0])
        rows.append(
            {
                "structure": name,
                "T": graph.T,
                "states": len(graph.states),
                "links": len(graph.links),
                "delayed": sum(link.delay > 0 for link in graph.links),
                "depth": depth(graph),
                "weights": params(Unrolled(graph)),
                "largest difference": float((Unrolled(graph)(*images) - output).abs().max()),
            }
        )
    return pd.DataFrame(rows)


def equality_text(differences: pd.Series) -> str:
    """How many graphs equal their model to the last bit, and how far the others are from it; Markdown."""
    equal = int((differences == 0).sum())
    text = f"**{equal} of {len(differences)} graphs equal their model file to the last bit.**"
    if equal == len(differences):
        return text
    return f"{text} The others differ by rounding, at most {differences.max():.0e}."


def count_by_length(graphs: Mapping[str, Sequence[Recurrence]]) -> pd.DataFrame:
    """Depth and weights of networks, each given for several lengths: columns `network`, `T`, `depth`, `weights`."""
    return pd.DataFrame(
        {"network": name, "T": graph.T, "depth": depth(graph), "weights": params(Unrolled(graph))}
        for name, lengths in graphs.items()
        for graph in lengths
    )


def depth_figure(counts: pd.DataFrame) -> Figure:
    """Depth (left) and weights (right) of `count_by_length`; the untied DSRN is as deep as the other, so not at left."""
    figure, axes = plt.subplots(1, 2, figsize=(9.2, 3.8), layout="constrained")
    for name, network in counts.groupby("network", sort=False):
        if name != "DSRN, untied":
            axes[0].plot(network["T"], network.depth, **_LINES[name], label=name)
        axes[1].plot(network["T"], network.weights / 1e6, **_LINES[name], label=name)
    steps = sorted(set(counts["T"]))
    axes[0].set(xlabel="T (steps)", ylabel="depth (convolutions)", xticks=steps)
    axes[1].set(xlabel="T (steps)", ylabel="weights (millions)", xticks=steps, yscale="log")
    axes[1].set_yticks([0.3, 1, 3, 10], ["0.3", "1", "3", "10"])
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def depth_text(counts: pd.DataFrame, graph: Recurrence) -> str:
    """Whether the depth is 2T + 4 as printed, what sharing saves, and what feedback adds to a DSRN that has it; Markdown."""
    network = counts[counts.network == "DSRN"]
    as_printed = bool((network.depth == 2 * network["T"] + 4).all())
    weights = counts[counts["T"] == PUBLISHED_T].set_index("network").weights
    shared, untied = weights["DSRN"], weights["DSRN, untied"]
    return (
        f"Depth 2T + 4 holds for all {len(network)} values of T: **{as_printed}**. At T = {PUBLISHED_T} DSRN has "
        f"**{shared:,}** weights with sharing and **{untied:,}** without, {untied / shared:.1f} times as many. "
        f"The feedback adds no depth: without $f_\\mathrm{{down}}$ the longest path at T = {graph.T} is "
        f"{depth(graph.without('f_down'))} as well, because up and down are two convolutions, as many as the residual block "
        "that they bypass."
    )


class UnitRMS(nn.Module):
    """A state times the scalar that gives it a root mean square of 1."""

    def forward(self, s: Tensor) -> Tensor:
        """Scale a state, same shape."""
        return s / s.square().mean().sqrt()


def state_rms(graph: Recurrence, image: Tensor) -> pd.DataFrame:
    """Root mean square of each state: a column for each, a row for each step from 1 on."""
    steps = unroll(graph, image)[1:]
    rms = [{state.name: float(values[state.name].square().mean().sqrt()) for state in graph.states} for values in steps]
    return pd.DataFrame(rms, index=range(1, len(steps) + 1))


def rms_normalised_by(graph: Recurrence, normalise: Sequence[nn.Module], image: Tensor) -> pd.DataFrame:
    """The `state_rms` of a graph that has `normalise` behind its states in place of its own normalisation."""
    states = tuple(replace(state, normalise=normalise) for state in graph.states)
    return state_rms(replace(graph, states=states), image)


def growth_factor(rms: pd.DataFrame) -> float:
    """Mean factor by which the first state of a `state_rms` grows a step."""
    return (rms.iloc[-1, 0] / rms.iloc[0, 0]) ** (1 / (len(rms) - 1))


def growth_figure(rms: Mapping[str, pd.DataFrame]) -> Figure:
    """The `state_rms` of up to five networks against the step, on a logarithmic axis: HR state solid, LR state dotted."""
    figure, ax = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    for k, ((name, states), marker) in enumerate(zip(rms.items(), "osD^v", strict=False)):
        ax.plot(states.index, states.iloc[:, 0], color=f"C{k}", marker=marker, markersize=4, label=name)
        for low in states.columns[1:]:
            ax.plot(states.index, states[low], color=f"C{k}", linestyle=":")
    if max(map(len, rms.values())) > PUBLISHED_T:
        look = {"transform": ax.get_xaxis_transform(), "va": "top", "ha": "right", "color": "0.35", "size": "small"}
        ax.axvline(PUBLISHED_T, color="0.6", linewidth=1, linestyle="--", zorder=0)
        ax.text(PUBLISHED_T - 0.2, 0.97, "the paper's T", **look)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set(yscale="log", xlabel="step t", ylabel="root mean square of the state")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return figure


def growth_table(rms: Mapping[str, pd.DataFrame]) -> str:
    """Growth of the first state, a step and up to the paper's T, a row for each network; Markdown."""
    last = min(PUBLISHED_T, *map(len, rms.values()))
    lines = [f"| behind the states | growth of the HR state a step | from step 1 to {last} |", "|:--|--:|--:|"]
    for name, states in rms.items():
        first_state = states.iloc[:, 0]
        lines.append(f"| {name} | {growth_factor(states):.2f} | {first_state.loc[last] / first_state.loc[1]:,.1f} |")
    return "\n".join(lines)


def growth_text(none: float, initial: float, by_slope: Mapping[float, float]) -> str:
    """What a PReLU does to the growth of the HR state; Markdown.

    Factors of growth a step: without normalisation, with the PReLU as it is initialised, and by the slope of the PReLU.
    """
    best = min(by_slope, key=by_slope.get)
    return (
        f"As initialised, the PReLU changes the growth of the HR state from a factor of **{none:.2f}** a step to "
        f"**{initial:.2f}**. Of {len(by_slope)} slopes from {min(by_slope):g} to {max(by_slope):g}, the one that dampens most "
        f"is {best:g}, and it leaves **{by_slope[best]:.2f}**: still exponential."
    )
