"""Text of the book that is computed, never typed: networks, speed, protocols, status."""

import platform
from importlib.metadata import version

from pages import join, not_measured, read_report, table
from srlib.datasets import DATASETS
from srlib.figures.contents import dataset_table
from srlib.figures.text import markdown_table
from srlib.models import MODELS, PUBLISHED, macs_per_pixel, meta_model, params, params_total
from srlib.papers import PAPERS, Claim, claims
from srlib.papers.checks import recomputed
from srlib.protocol import PROTOCOLS
from srlib.records.provenance import commit
from srlib.training.devices import device_name

PACKAGES = ("torch", "numpy", "scipy", "scikit-image", "pandas", "matplotlib", "papermill")
PACKAGES += ("jupyter-book", "sphinx", "jupyterlab")

# One of each kind, with a few of the ablations.
NETWORKS = (
    "srcnn_955", "srcnn_915", "vdsr", "vdsr_bn_d28_w128", "drcn", "drrn_b1u9", "drrn_b1u25", "drrn_b2u3", "drrn_b3u2",
    "drrn_b3u8", "drrn_b17u1", "drrn_ns_b3u4", "dsrn_t7_x2", "dsrn_t7_x3", "dsrn_t7_x4", "dsrn_untied_x2",
    "dsrn_no_feedback_x2", "dsrn_single_state", "rlcsc_k15", "rlcsc_k15_m128", "rlcsc_k25", "rlcsc_k48", "drn_x2", "drn_x3",
    "drn_x4", "drn_plus_x3", "drn_plus_x4",
)  # fmt: skip


def printed_sizes(*metrics: str) -> list[Claim]:
    """The claims of the papers about the size or speed of networks that we have."""
    return [c for paper in PAPERS for c in claims(paper) if c.metric in metrics and c.experiment in MODELS]


def models(family: str = "") -> str:
    """Sizes of the networks, with the printed ones in brackets, as Markdown; of one family, say `drrn`, or of all."""
    rows, notes, sizes = [], [], printed_sizes("params", "depth", "receptive_field")
    architectures = {PUBLISHED[name][0] for name in NETWORKS}
    new = [name for name, (architecture, _) in PUBLISHED.items() if architecture not in architectures]
    for name in (name for name in (*NETWORKS, *new) if family in ("", name.split("_")[0])):
        model = meta_model(MODELS[name])
        counts = {"params": params(model), "depth": model.depth, "receptive_field": 2 * model.radius + 1}
        texts = {key: f"{value:,}" for key, value in counts.items()}
        for claim in (c for c in sizes if c.experiment == name):
            ours = recomputed(claim.id)  # the words may be about a part of the network
            if claim.printed_alike(counts[claim.metric]):
                texts[claim.metric] = f"{counts[claim.metric]:,} ({claim.value})"
            elif ours is None or not claim.printed_alike(ours):
                texts[claim.metric] = f"{counts[claim.metric]:,} ≠ {claim.value}"
                notes.append(f"* `{name}`, printed {claim.value}: {claim.note}.")
        scale = model.scale or 3
        rows.append(
            {
                "model": f"`{name}`",
                "input": model.domain + (" RGB" if model.colour == "rgb" else ""),
                "weights": texts["params"],
                "all parameters": f"{params_total(model):,}",
                "depth": texts["depth"],
                "receptive field": texts["receptive_field"],
                "MACs a pixel": f"{macs_per_pixel(MODELS[name], scale):,.0f}",
            }
        )
    return join(table(rows), "\n".join(notes))


WAYS = {"plain": "plain PyTorch", "srlib": "**srlib**", "onnxruntime": "ONNX Runtime"}


def speed() -> str:
    """The benchmark of inference as Markdown: seconds, GFLOP/s, memory (MiB), and the papers' own times."""
    report = read_report("inference")
    if not report:
        return not_measured("inference")
    commits = ", ".join(dict.fromkeys(f"`{row.get('commit', report['commit'])[:12]}`" for row in report["rows"]))
    text = [
        "## The machine",
        f"Measured on {report['device']}, commit {commits}, {report['date'][:10]}, torch {report['environment']['torch']}. "
        "GFLOP are those of the convolutions, a multiplication with its addition counted as two.",
    ]
    for size in sorted({row["size"] for row in report["rows"]}):
        measured = [row for row in report["rows"] if row["size"] == size]
        rows = [
            {
                "network": f"`{row['model']}`",
                "computed by": WAYS[row["way"]],
                "seconds": f"{row['seconds']:.3g} ({row['fastest']:.3g} to {row['slowest']:.3g})",
                "faster than plain": f"{row['times_plain']:.2f} ×",
                "GFLOP/s": f"{row['gflops']:.0f}",
                "page faults": f"{row['page_faults']:,}",
                "peak memory": f"{row['peak_mib']:,} MiB",
                "largest difference": f"{row['difference']:.1e}",
            }
            for row in measured
        ]
        turns = f"Median of {measured[0]['turns']} turns; differences in grey levels."
        text += [f"## {size} × {size} pixels", turns, table(rows)]
    ours = {r["model"]: r for r in report["rows"] if r["size"] == 288 and r["way"] == "srlib"}
    rows = [
        {"network": f"`{c.experiment}`", "printed": f"{c.value} s, {c.note}"}
        | {"here, on the CPU": f"{ours[c.experiment]['seconds']:.2f} s"}
        for c in printed_sizes("seconds")
        if c.experiment in ours
    ]
    if rows:
        text += ["## The papers' own times", "For 288 × 288 pixels.", table(rows)]
    return join(*text)


def protocols() -> str:
    """The named protocols and their settings, as a Markdown table."""
    names = {"luma": "Y", "rgb": "RGB"}
    rows = [
        {
            "protocol": f"`{p.name}`",
            "used for": p.used_for,
            "resized": f"{names[p.colour]}, {'8 bit' if p.lr_uint8 else 'not rounded'}, {p.border} border",
            "scored on": {"Y8": "rounded Y", "Y": "Y, not rounded", "rgb": "RGB"}[p.score_on]
            + ("; IFC on Y/255, not rounded, symmetric border" if p.ifc_variant else ""),
            "shave": "scale" + (f" + {p.extra_shave}" if p.extra_shave else ""),
            "SSIM map": {"valid": "valid", "replicate": "full (built-in `ssim`)"}[p.ssim_border],
        }
        for p in PROTOCOLS.values()
    ]
    return table(rows)


def status() -> str:
    """The machine on which this book was built, its software and its data, as Markdown."""
    data = dataset_table().assign(source=[dataset.source for dataset in DATASETS.values()])
    machine = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, {device_name('cpu')}"
    return join(
        "## Build",
        f"Commit `{commit()}`; {machine}.",
        "## Software",
        table({"package": name, "version": version(name)} for name in PACKAGES),
        "## Data on the building machine",
        markdown_table(data[["dataset", "images", "role", "here", "source"]]),
        "What our numbers come from, record by record: {doc}`records`.",
    )
