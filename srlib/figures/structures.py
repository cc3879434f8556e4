"""What structure pages draw by hand and count in traced networks (`srlib.graphs.tracing`): DRRN's, RL-CSC's and DRN's."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from srlib.figures.style import COLOURS
from srlib.graphs.structure import Structure
from srlib.models import params_total
from srlib.models.drn import DRN


def multipath_figure() -> Figure:
    """Three steps of DRRN's and of RL-CSC's recursion, one above the other, with the path of the first features to each sum."""
    figure, (drrn, rlcsc) = plt.subplots(2, 1, figsize=(8, 3.4), layout="constrained")
    _draw_recursion(drrn, "DRRN (Eq. 4)", "$H^0$", "$\\mathcal{F}$", "$H^3$", COLOURS["drrn"])
    _draw_recursion(rlcsc, "RL-CSC (Eq. 9)", "$W_1 y$", "ReLU, $S$", "$a_3$, $z_3$ = ReLU($a_3$)", COLOURS["rlcsc"])
    return figure


def _draw_recursion(axes: Axes, title: str, first: str, step: str, last: str, colour: object) -> None:
    """A chain of three steps, and the line that feeds the first features to each sum."""
    box = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": colour, "linewidth": 1.8}
    circle = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": "0.3"}
    arrow = {"arrowstyle": "-|>", "color": "0.3", "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
    axes.plot([1.35, 9.0], [1.0, 1.0], color=colour, linewidth=2.2)
    axes.plot([1.35, 1.35], [0, 1.0], color=colour, linewidth=2.2)
    axes.plot([0.75, 10.0], [0, 0], color="0.3", linewidth=1.2, zorder=0)
    axes.annotate("", (10.5, 0), (9.9, 0), arrowprops=arrow)
    for x in (2.4, 5.1, 7.8):
        axes.text(x, 0, step, ha="center", va="center", bbox=box)
        axes.annotate("", (x + 1.2, 0.2), (x + 1.2, 1.0), arrowprops=arrow | {"color": colour, "linewidth": 2})
        axes.text(x + 1.2, 0, "+", ha="center", va="center", bbox=circle)
    axes.text(0.5, 0, first, ha="center", va="center", bbox=box)
    axes.text(10.6, 0, last, ha="left", va="center")
    axes.set(xlim=(-0.4, 11.9), ylim=(-0.4, 1.1))
    axes.set_title(title, loc="left")
    axes.axis("off")


def _channels_in(structure: Structure, i: int) -> int:
    """Channels of the first value that an operation takes."""
    return structure.operations[structure.operations[i].inputs[0]].channels


def _adds_input(structure: Structure) -> str:
    """'yes' if an addition takes the network's input, else 'no'."""
    return "yes" if any(0 in structure.operations[i].inputs for i in structure.of_kind("addition")) else "no"


def layer_table(structure: Structure) -> pd.DataFrame:
    """The trainable layers of a traced network, each weight tensor once: maps, kernel, weights, and how often it is used."""
    rows = []
    for weight, users in structure.weights().items():
        layer, maps = structure.operations[users[0]], _channels_in(structure, users[0])
        rows.append(
            {
                "layer": weight.partition(".")[0],
                "maps in": maps,
                "maps out": layer.channels,
                "kernel": f"{layer.kernel} × {layer.kernel}",
                "weights": f"{maps * layer.channels * layer.kernel**2:,}",
                "used": len(users),
            }
        )
    return pd.DataFrame(rows)


def recursion_table(recursions: Mapping[str, Structure]) -> pd.DataFrame:
    """One recursion of each folded structure, by name: its layers, what it adds, what goes back, and what follows the last.

    Counted is from where the loop comes in to where it leaves.
    """
    rows = []
    for name, structure in recursions.items():
        last, first = structure.back[0]
        body = structure.operations[first : last + 1]
        layers = [o for o in body if o.kind == "convolution"]
        adds_from_before = any(o.kind == "addition" and any(i < first for i in o.inputs) for o in body)
        rows.append(
            {
                "structure": name,
                "recursions": structure.times,
                "weight layers": ", ".join("linear" if o.name == "linear" else f"{o.kernel} × {o.kernel}" for o in layers),
                "BN": sum(o.kind == "normalisation" for o in body),
                "adds the same value each time": "yes" if adds_from_before else "no",
                "goes back": {"addition": "a sum", "activation": "an activation"}[body[-1].kind],
                "predictions": "all" if structure.of_kind("arithmetic") else "the last",
                "adds its input": _adds_input(structure),
            }
        )
    return pd.DataFrame(rows)


def section_4_table(counts: pd.DataFrame) -> pd.DataFrame:
    """The differences that RL-CSC's Section 4 names, and whether each is in the `recursion_table` of the four networks."""
    by_name = counts.set_index("structure").to_dict("index")
    rlcsc, drrn, scn, drcn = (by_name[name] for name in ("RL-CSC", "DRRN", "SCN (LISTA)", "DRCN"))
    multi, layers, residual, predictions = "adds the same value each time", "weight layers", "adds its input", "predictions"
    differences = {
        "RL-CSC has DRRN's multi-path structure: every recursion adds the same value": rlcsc[multi] == drrn[multi] == "yes",
        "RL-CSC contains no batch normalisation, DRRN does": rlcsc["BN"] == 0 < drrn["BN"],
        "RL-CSC has convolutions where SCN has linear layers": "linear" in scn[layers] and "linear" not in rlcsc[layers],
        "RL-CSC learns the residual, SCN does not": rlcsc[residual] == "yes" and scn[residual] == "no",
        "DRCN has no local residual learning, RL-CSC has": drcn[multi] == "no" and rlcsc[multi] == "yes",
        "DRCN takes all intermediate predictions, RL-CSC the last": (drcn[predictions], rlcsc[predictions])
        == ("all", "the last"),
    }
    return pd.DataFrame({"structure": text, "in the graphs": "yes" if holds else "no"} for text, holds in differences.items())


def lista_texts(structure: Structure) -> dict[int, str]:
    """What is written into the boxes of LISTA's coding, from a signal y to its code z."""
    linear = [i for i, operation in enumerate(structure.operations) if operation.name == "linear"]
    texts = dict.fromkeys(structure.of_kind("module"), "threshold") | dict.fromkeys(linear, "linear")
    return texts | {0: "$y$", len(structure.operations) - 1: "$z$"}


def kernel_texts(structure: Structure) -> dict[int, str]:
    """The kernel of each convolution, to be written into its box."""
    return {i: "{0}×{0}".format(structure.operations[i].kernel) for i in structure.of_kind("convolution")}


def channel_notes(structure: Structure) -> dict[int, str]:
    """Channels in and out of each convolution, collapsed module and shuffle, to be written under its box."""
    layers = structure.of_kind("convolution", "module", "shuffle")
    return {i: f"{_channels_in(structure, i)} → {structure.operations[i].channels}" for i in layers}


def shuffle_factor(structure: Structure, i: int) -> int:
    """How many times a pixel shuffle enlarges a side, from its channels."""
    return round((_channels_in(structure, i) / structure.operations[i].channels) ** 0.5)


def block_table(structure: Structure, blocks: Sequence[str]) -> pd.DataFrame:
    """Channels in residual distilling blocks of a traced DRN, given by path: in, made, added to the input, new, and out."""
    rows = []
    for k, path in enumerate(blocks, start=1):
        block = structure.part(structure.within(path))
        channels = [operation.channels for operation in block.operations]
        convolutions = " → ".join(str(channels[i]) for i in block.of_kind("convolution"))
        added, new = (channels[i] for i in block.of_kind("slice"))
        row = {"block": k, "in": channels[0], "convolutions make": convolutions, "added": added, "new": new}
        rows.append(row | {"out": channels[-1], "out − in": channels[-1] - channels[0]})
    return pd.DataFrame(rows)


def reconstruction_table(networks: Mapping[int, Structure]) -> pd.DataFrame:
    """A traced DRN's reconstruction at each scale, from the last addition on: layers with channels in and out."""
    rows = []
    for scale, structure in networks.items():
        first, output = structure.of_kind("addition")[-1] + 1, len(structure.operations) - 1
        for i in range(first, output):
            operation = structure.operations[i]
            layer = f"conv {'output' if i == output - 1 else 'input'}, {operation.kernel} × {operation.kernel}"
            layer = f"PixelShuffle (×{shuffle_factor(structure, i)})" if operation.kind == "shuffle" else layer
            row = {"scale": f"×{scale}" if i == first else "", "structure": layer}
            rows.append(row | {"channels in": _channels_in(structure, i), "channels out": operation.channels})
    return pd.DataFrame(rows)


def readings_table(readings: Mapping[str, tuple[DRN, DRN]], edsr: int) -> pd.DataFrame:
    """Parameters of DRN and DRN+ under several readings of the paper, and DRN+'s against those of EDSR.

    Columns `structure` (what is read), `DRN`, `DRN+` (parameters) and `DRN+ against EDSR` (percent).
    """
    counts = {name: [params_total(model) for model in models] for name, models in readings.items()}
    frame = pd.DataFrame.from_dict(counts, "index", columns=["DRN", "DRN+"]).rename_axis("structure").reset_index()
    frame["DRN+ against EDSR"] = 100 * (frame["DRN+"] / edsr - 1)
    return frame


def structure_counts(structures: Mapping[str, Structure]) -> pd.DataFrame:
    """Depth, convolutions, sharing, additions and outputs of DRRN's four structures (Figure 2), traced, a row each."""
    return pd.DataFrame(
        {
            "structure": name,
            "depth": structure.depth,
            "convolutions run": len(structure.of_kind("convolution")),
            "weight tensors": len(structure.weights()),
            "most uses of one": max(map(len, structure.weights().values())),
            "additions": len(structure.of_kind("addition")),
            "residual units": len(structure.units()),
            "identity from x": _adds_input(structure),
            "supervised": len(structure.of_kind("arithmetic")) + 1,  # each prediction that an ensemble weighs, and the output
        }
        for name, structure in structures.items()
    )
