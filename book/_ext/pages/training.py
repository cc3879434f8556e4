"""Text of the book about training, computed and never typed: recipes, the CPU profile, costs, speed."""

from typing import Any

import matplotlib.pyplot as plt

from pages import join, not_measured, read_report, svg, table
from pages.ledger import hours_spent
from pages.rerun import total_operations
from srlib.figures.style import COLOURS, download, plotted, use_style
from srlib.models import meta_model, params_total
from srlib.papers import EXPERIMENTS, PAPERS, TITLES, get_experiment
from srlib.papers.variants import STANDIN_SUFFIX
from srlib.records.plan import CPU_GROUPS, GROUPS, NARROW, Group, Run
from srlib.records.record import Record, find_record, trainings
from srlib.training.recipe import Experiment, Recipe


def recipes() -> str:
    """Each paper's own recipe beside ours, as a Markdown table."""
    return table(
        {"experiment": f"`{name}`", "recipe": recipe.name} | _words(recipe)
        for name in ("drrn_b1u9", "dsrn_t7_x2", "rlcsc_k25", "drn_x3")
        for recipe in EXPERIMENTS[name].recipes
    )


def _words(recipe: Recipe) -> dict[str, str]:
    optimisers = {"sgd": f"SGD, momentum {recipe.momentum:g}", "adam": "Adam", "muon": f"Muon, AdamW at {recipe.adam_lr:g}"}
    optimiser = optimisers[recipe.optimiser]
    if recipe.weight_decay:
        optimiser += f", weight decay {recipe.weight_decay:g}"
    if recipe.ema:
        optimiser += f", average {recipe.ema:g}"
    schedule = f"× {recipe.decay:g} every {recipe.decay_every:,}" if recipe.decay_every else "cosine"
    rate = " / rate" if recipe.clip_over_lr else ""
    clip = f"{recipe.clip:g}{rate}, {recipe.clip_by}" if recipe.clip else "none"
    return {
        "optimiser": optimiser,
        "rate": f"{recipe.lr:g}, {schedule}",
        "iterations": f"{recipe.iterations:,}",
        "batch, patch, stride": f"{recipe.batch}, {recipe.patch}, {recipe.stride}",
        "clip": clip,
        "loss": f"{recipe.loss}, {'mean' if recipe.pixel_mean else 'sum'}",
    }


SETTINGS = {
    "optimiser": "optimiser",
    "lr": "largest rate (of Muon: spectral norm of an update)",
    "adam_lr": "largest rate of AdamW beside Muon",
    "decay_every": "iterations between halvings or the like (0: cosine to zero)",
    "warmup": "share of the iterations in which the rate rises",
    "iterations": "iterations at budget 1",
    "batch": "batch",
    "patch": "patch, in HR pixels",
    "stride": "stride, in HR pixels",
    "scales": "scales",
    "momentum": "momentum",
    "weight_decay": "weight decay",
    "bias_lr": "rate of biases, times the others'",
    "clip": "clip of the gradient",
    "clip_over_lr": "clip divided by the rate",
    "clip_by": "clipped",
    "loss": "loss",
    "pixel_mean": "mean over pixels, not sum",
    "loss_factor": "factor of the loss",
    "sizes": "sizes of the training images",
    "ema": "decay of the weights' average (0: none)",
    "bn_momentum": "momentum of running statistics",
    "last_gain": "factor on the last layer's initial weights",
    "first_shift": "initial shift of the input's normalisation",
}


def settings() -> str:
    """The settings in which DRRN's published, fast, core and narrow recipes differ, as a Markdown table."""
    full_size, narrow = get_experiment("drrn_b1u9"), get_experiment("drrn_b1u9_w16")
    columns = {recipe.name: (full_size, recipe) for recipe in full_size.recipes}
    columns["fast, narrow"] = narrow, narrow.recipe("fast")
    rows = [
        {"": "network"} | {title: f"`{experiment.name}`" for title, (experiment, _) in columns.items()},
        {"": "training images"} | {title: experiment.data for title, (experiment, _) in columns.items()},
        *({"": words} | {t: _plain(getattr(r, key)) for t, (_, r) in columns.items()} for key, words in SETTINGS.items()),
        {"": "patches seen at budget 1"} | {title: f"{r.iterations * r.batch:,}" for title, (_, r) in columns.items()},
    ]
    return table(row for row in rows if len(set(list(row.values())[1:])) > 1)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "the model's"
    if isinstance(value, tuple):
        return ", ".join(f"{part:g}" for part in value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


def cpu_profile() -> str:
    """PSNR (dB) of the networks of the CPU profile and their gain over bicubic, as Markdown."""
    rows, devices, bicubic = [], {}, find_record("bicubic")
    for name in NARROW:
        record = find_record(name)
        if record is None:
            rows.append({"experiment": f"`{name}`", "trained": "not run"})
            continue
        info, experiment = record.info, EXPERIMENTS[name]
        devices[info["device"]] = None
        protocol = "lapsrn" if "lapsrn" in experiment.protocols else "drrn"
        row = {
            "experiment": f"`{name}`",
            "paper": TITLES[experiment.paper],
            "weights": f"{info['params']:,}",
            "trained": f"{info['iterations_done']:,} iterations, seed {info['seed']}, {info['seconds'] / 60:.0f} min",
            "recipe": f"`{info['recipe']['name']}`",
            "protocol": f"`{protocol}`",
        }
        for dataset in ("Set5", "Set14", "BSD100"):
            ours = record.mean(dataset, 3, "psnr", protocol)
            base = bicubic and bicubic.mean(dataset, 3, "psnr", protocol)
            row[f"{dataset} ×3 (dB)"] = "–" if ours is None else f"{ours:.2f}" + (f" ({ours - base:+.2f})" if base else "")
        rows.append(row)
    machines = ", ".join(devices) or "nothing yet"
    return f"{table(rows)}\n\nIn brackets the gain over bicubic under the same protocol. Trained on {machines}."


def cost() -> str:
    """Operations (PFLOP), storage (MB) and hours of the campaign's groups and of the papers' schedules, as Markdown."""
    campaign = []
    for group in (*GROUPS, *CPU_GROUPS):
        experiments = [get_experiment(name) for name in group.experiments]
        campaign.append(_cost_row(group.purpose, experiments, "fast", group.budget, len(group.seeds)) | _spent(group))
    schedules = []
    for paper in PAPERS:
        own = [e for e in EXPERIMENTS.values() if e.paper == paper and e.name not in NARROW]
        schedules.append(_cost_row(TITLES[paper], [e for e in own if not e.name.endswith(STANDIN_SUFFIX)], "published"))
    gpu, cpu = hours_spent()
    return join(
        "## Our campaign",
        "The `fast` recipe, at each group's budget. Hours are those of the committed trainings, measured.",
        table(campaign),
        "## The papers' own schedules, once each",
        "The `published` recipes at budget 1: what nobody has to repeat.",
        table(schedules),
        f"Spent on the {len(trainings())} committed trainings: {gpu:.1f} GPU-hours and {cpu:.1f} hours on CPUs, a thread "
        "each, mostly beside other work. The {doc}`records <records>` name each one's device and seconds.",
    )


def _cost_row(title: str, experiments: list[Experiment], recipe: str, budget: float = 1.0, seeds: int = 1) -> dict[str, str]:
    """Number, operations and storage of the runs of some experiments, as cells."""
    work = seeds * total_operations(experiments, budget, recipe)
    storage = seeds * sum(2 * params_total(meta_model(experiment.make)) for experiment in experiments)
    count = f"{work / 1e15:,.0f}" if work > 1e15 else f"{work / 1e15:.2f}"
    runs = str(seeds * len(experiments))
    return {"fills": title, "runs": runs, "PFLOP": count, "weights kept": f"{storage / 1e6:,.1f} MB"}


def _spent(group: Group) -> dict[str, str]:
    """Number of finished runs of a group, and their hours."""
    folders = [Run(group, name, seed).folder() for name in group.experiments for seed in group.seeds]
    infos = [Record(folder).info for folder in folders if (folder / "record.json").exists()]
    seconds = [info["seconds"] for info in infos if info.get("finished")]
    return {"finished": str(len(seconds)), "hours measured": f"{sum(seconds) / 3600:.1f}" if seconds else "–"}


def training_speed() -> str:
    """The benchmark of training as Markdown: images a second against a plain loop, memory (MB)."""
    report = read_report("training")
    if not report:
        return not_measured("training")
    rows = []
    for row in report["rows"]:
        cells = {"network": f"`{row['model']}`", "batch": row["batch"], "computed by": row["way"]}
        if "error" in row:
            cells["images/s"] = row["error"]
        else:
            cells |= {
                "images/s": f"{row['images_per_second']:,.4g} ({row['slowest']:,.4g} to {row['fastest']:,.4g})",
                "faster than plain": f"{row['times_plain']:.2f} ×",
                "processor time": f"{1 / row['times_plain_processor']:.2f} of plain",
                "more memory": f"{row['memory_mb']:,.0f} MB",
            }
        rows.append(cells)
    memory = report.get("table_4")
    return join(
        f"{_measured_by('training', report)} *Plain* is the loop that such papers come with: eager, fp32, patches cut "
        "beforehand, a loader, the loss read at each step. Medians of turns.",
        table(rows),
        f"## Memory of training: RL-CSC's Table 4\n\n{_memory(memory)}" if memory else "",
    )


def recipe_curves() -> str:
    """The benchmark of recipes as Markdown: PSNR against seconds of training, the fast recipe and the one before it."""
    report = read_report("recipes")
    curves = report.get("curves")
    if not curves:
        return not_measured("recipes")
    rows = [
        {
            "network": f"`{row['model']}`",
            "recipe": f"`{row['recipe']}`, {row['precision']}",
            "training": f"{row['seconds']:.0f} s",
            "iterations": f"{row['iterations']:,}",
            "images/s": f"{row['images_per_second']:,.4g}",
            "PSNR at the end (dB)": f"{row['points'][-1]['psnr']:.2f}",
        }
        for row in curves
    ]
    in_words = " ".join(_in_words(new, old) for new, old in zip(curves[::2], curves[1::2], strict=True))
    caption = (
        "PSNR on ten held-out crops against seconds of training, validation apart. Solid: the fast recipe, in the precision "
        "that this processor prefers. Dashed: the fast recipe before it, with Adam, in fp32. Each cosine ends with the time."
    )
    return join(
        f"{_measured_by('recipes', report)} Both recipes of a network start from the same seed and are trained for equal "
        "seconds, by turns in one process; their iterations were fixed beforehand by their speed. One run each, so a small "
        "difference at the end may be the seed's.",
        _figure(curves, f"Curves of PSNR against seconds of training. {in_words}", caption),
        in_words,
        table(rows),
    )


def precisions() -> str:
    """The benchmark of recipes as Markdown: images a second of the same step in bf16 and in fp32."""
    report = read_report("recipes")
    if not report.get("throughput"):
        return not_measured("recipes")
    rows: dict[str, dict[str, str]] = {}
    for row in report["throughput"]:
        network = {"network": f"`{row['model']}`", "recipe": f"`{row['recipe']}`"}
        cells = rows.setdefault(row["model"], network | {"batch, patch": f"{row['batch']}, {row['patch']}"})
        cells[f"{row['precision']}, images/s"] = row.get("error") or f"{row['images_per_second']:,.3g}"
    rates = {(row["model"], row["precision"]): row.get("images_per_second") for row in report["throughput"]}
    for model, cells in rows.items():
        bf16, fp32 = (rates.get((model, precision)) for precision in ("bf16", "fp32"))
        if bf16 and fp32:
            cells["bf16 faster"] = f"{bf16 / fp32:.2f} ×"
    turns = report["settings"]["turns"]
    text = f"{_measured_by('recipes', report)} Medians of {turns} turns, bf16 and fp32 one after the other."
    if not report["bf16_in_hardware"]:
        text += " This processor does not multiply in bf16, so fp32 alone was measured."
    return f"{text}\n\n{table(rows.values())}"


def _measured_by(benchmark: str, report: dict[str, Any]) -> str:
    return (
        f"`python benchmarks/{benchmark}.py` on {report['device']}, commit `{report['commit'][:12]}`, {report['date'][:10]}, "
        f"torch {report['environment']['torch']}, load at the start {report['load']:.1f}."
    )


def _in_words(new: dict[str, Any], old: dict[str, Any]) -> str:
    """Final PSNRs (dB) of two curves of one network, and the second at which the new one reaches the old one's, in words."""
    ends = [row["points"][-1]["psnr"] for row in (new, old)]
    text = (
        f"{new['model']} ends at {ends[0]:.2f} dB with {new['recipe']} and at {ends[1]:.2f} dB with {old['recipe']}, after "
        f"{new['seconds']:.0f} s and {old['seconds']:.0f} s"
    )
    passed = next((point["seconds"] for point in new["points"] if point["psnr"] >= ends[1]), None)
    return f"{text}." if passed is None else f"{text}; {new['recipe']} is at {ends[1]:.2f} dB or above by {passed:.0f} s."


def _figure(curves: list[dict[str, Any]], alt: str, caption: str) -> str:
    """The curves as Markdown: an SVG in the page itself, numbered like all other figures, and the link to its numbers."""
    models = list(dict.fromkeys(row["model"] for row in curves))
    with plt.rc_context():
        use_style()
        figure, axes_of = plt.subplots(1, len(models), figsize=(4.6 * len(models), 3.8), layout="constrained", squeeze=False)
        for axes, model in zip(axes_of[0], models, strict=True):
            for row in (row for row in curves if row["model"] == model):
                new = row["way"] == "new"
                axes.plot(
                    [point["seconds"] for point in row["points"]],
                    [point["psnr"] for point in row["points"]],
                    color=COLOURS[get_experiment(model).paper] if new else "0.35",
                    linestyle="-" if new else "--",
                    marker="o" if new else "s",
                    label=f"{row['recipe']}: {row['optimiser'].capitalize()}, {row['precision']}",
                )
            axes.set(title=model, xlabel="seconds of training", ylabel="PSNR on held-out images (dB)")
            axes.legend(fontsize="small", loc="lower right")
        image = svg(figure)
    link = download(plotted(figure), "recipes.csv", "Data of this figure (CSV)")
    return f'```{{figure}} {image}\n:name: fig-recipes\n:alt: {alt}\n\n{caption}\n```\n\n<p class="srlib-data">{link}</p>'


def _memory(report: dict[str, Any]) -> str:
    rows = []
    for row in report["rows"]:
        key = "step_mb" if "step_mb" in row else "mb"
        rows.append(
            {
                "network": f"`{row['model']}`, {row['layers']} layers",
                "batch, patch": f"{row['batch']}, {row['patch']}",
                "precision": row["precision"],
                "ours": row.get("error") or f"{row[key]:,.0f} MB",
                "kept for the backward pass": f"{row['mb']:,.0f} MB" if key == "step_mb" else "–",
                "times the first": f"{row[f'{key}_times_first']:.2f}" if key in row else "–",
                "printed": f"{row['paper_mb']:,} MB" if row["paper_mb"] else "> 12 GB",
                "printed, times the first": f"{row['paper_times_first']:.2f}" if row["paper_times_first"] else "> 1.3",
            }
        )
    ours = (
        "*Ours* is the most that tensors take in a real iteration, counted on the CPU with 2 and 4 images and scaled to "
        "the batch; what the forward pass keeps for the backward pass stands beside it."
    )
    return join(
        table(rows),
        ours if any("step_mb" in row for row in report["rows"]) else "",
        "The paper compares DRRN in Caffe with RL-CSC in PyTorch, so neither its megabytes nor its ratios are about the "
        "networks alone.",
    )
