# The pipeline: committed records -> papermill -> Jupyter Book, which trains nothing. Beside it, the campaign trains.
#
#   snakemake --cores 2 book            (what `make book` runs)
#   snakemake --cores 2 --forcerun notebook -- book   after changing datasets in place
#   snakemake --cores 2 campaign --config group="cpu profile"   trainings, here or on a cluster: see book/clusters.md
import os
from functools import cache
from glob import glob
from pathlib import Path

NOTEBOOKS = [
    "compare", "bicubic", "params_vs_psnr", "drrn_structure", "drrn_tables", "drrn_BU_grid", "drrn_ablation",
    "drrn_visual", "recurrence", "dsrn_tables", "dsrn_unroll", "dsrn_ablation", "dsrn_states",
    "dsrn_visual", "rlcsc_sparse_coding", "rlcsc_structure", "rlcsc_tables", "rlcsc_recursion",
    "rlcsc_residual_memory", "rlcsc_visual", "drn_structure", "drn_tables", "drn_ablation",
    "drn_visual",
]
SOURCES = [path for path in glob("srlib/**/*", recursive=True) if path.endswith((".py", ".js", ".csv", ".json"))]
# Absolute, and so no output of `train`: whatever happens to a record, the book takes it as it is.
KINDS = ("benchmarks/*.json", "*/*/seed*/*.json", "*/*/seed*/*.csv")
RECORDS = [path for kind in KINDS for path in glob(f"{workflow.basedir}/results/{kind}")]
DATA = config.get("data")
OUT = Path(config.get("out", "results/runs" if DATA else "results"))  # other data, no record of the book

# On Kubernetes: jobs work on the volume itself. Said here, for Snakemake does not tell the pods of --not-retrieve-storage.
if workflow.storage_settings.default_storage_provider == "fs":
    workflow.storage_registry.default_storage_provider.retrieve = False

# All tools of the environment that runs Snakemake, whether or not it is activated.
os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


localrules:
    book,
    campaign,


rule book:
    input:
        expand("book/notebooks/{name}.ipynb", name=NOTEBOOKS),
        glob("book/*.*"),
        [path for path in glob("book/_*/**", recursive=True) if Path(path).is_file() and "__pycache__" not in path],
        "_config.yml",
        SOURCES,
        RECORDS,
    output:
        "_build/html/index.html",
    log:
        "_build/book.log",
    shell:
        "echo Building the pages; jupyter-book build book --config _config.yml --path-output . --all -W -n --keep-going > {log} 2>&1"
        " || (cat {log} >&2; exit 1)"


rule notebook:
    input:
        "notebooks/{name}.ipynb",
        SOURCES,
        RECORDS,
    output:
        "book/notebooks/{name}.ipynb",
    params:
        data=os.environ.get("SRLIB_DATA", ""),  # another data folder executes the notebooks anew
        vdsr=os.environ.get("SRLIB_VDSR_WEIGHTS", ""),
    threads: 1
    shell:
        "SECONDS=0; papermill {input[0]} {output} --log-level WARNING --no-progress-bar; echo {wildcards.name}: $SECONDS s"


def words(key):
    """A list from --config: separated by commas or spaces."""
    value = config.get(key)
    return [] if value is None else str(value).replace(",", " ").split()


def gpus(wildcards):
    """One for a network of a paper's size, unless the CPU is asked for."""
    from srlib.papers import EXPERIMENTS
    from srlib.records.plan import NARROW

    return int(config.get("device") != "cpu" and wildcards.experiment in EXPERIMENTS.keys() - set(NARROW))


def train_options(wildcards, output):
    """What the name of a record's folder says, and what --config says."""
    from srlib.records.plan import CPU_GROUPS
    from srlib.papers import get_experiment

    seed, recipe, budget = (wildcards.run.removeprefix("seed").split("_") + ["fast", "1"])[:3]
    options = ["--seed", seed, "--recipe", recipe, "--budget", budget, "--out", str(Path(output[0]).parents[3])]
    options += ["--data", DATA or get_experiment(wildcards.experiment).data]  # by name: `train` alone would take a stand-in
    groups = (group for group in CPU_GROUPS if wildcards.experiment in group.experiments and float(budget) == group.budget)
    keep = next((group.keep for group in groups), ())
    options += ["--keep", ",".join(map(str, keep))] * bool(keep)
    for key in ("device", "precision"):
        options += [f"--{key}", config[key]] if key in config else []
    return options + (["--score", *words("score")] if "score" in config else [])


@cache
def missing_records():
    """What the chosen runs lack: the finished ones stay out of Snakemake's sight, so that nothing makes it train them again."""
    from srlib.records.plan import CPU_GROUPS, GROUPS, PROFILE, runs
    from srlib.datasets import is_available
    from srlib.papers import get_experiment
    from srlib.records.record import Record, record_folder
    from torch import cuda

    known = {"group", "experiments", "budget", "seeds", "device", "precision", "data", "out", "score", "gpus"}
    groups = {group.name: group for group in (*GROUPS, *CPU_GROUPS)}
    name = config.get("group", (GROUPS[0] if cuda.is_available() else PROFILE).name)
    if not config.keys() <= known or name not in groups:
        raise WorkflowError(f"--config takes {', '.join(sorted(known))}; group is one of {', '.join(groups)}.")
    chosen = [] if "experiments" in config else [run for run in runs() if run.group.name == name]
    budget = float(config.get("budget", chosen[0].group.budget if chosen else 1))
    records = []
    for experiment in words("experiments") or dict.fromkeys(run.experiment for run in chosen):
        experiment = get_experiment(experiment)
        if not DATA and not is_available(experiment.data):
            print(f"{experiment.name} is left out: {experiment.data} is not at hand", file=sys.stderr)
            continue
        for seed in words("seeds") or dict.fromkeys([run.seed for run in chosen] or [0]):
            folder = record_folder(experiment, int(seed), budget=budget, root=OUT)
            there, checkpoint, scores = ((folder / f).exists() for f in ("record.json", "checkpoint.safetensors", "scores.csv"))
            if there and not Record(folder).info["finished"]:
                raise WorkflowError(f"{folder} holds an unfinished record: delete its record.json, not the checkpoint, to go on")
            unscored = there and not scores and ("score" not in config or words("score"))
            if unscored:
                print(f"{folder} has no scores; if it gets none now: python -m srlib score {folder}", file=sys.stderr)
            if not there or (unscored and checkpoint):  # killed while it scored, and made again from its checkpoint
                records.append(f"{folder}/record.json")
    return records


rule campaign:
    input:
        lambda wildcards: missing_records(),


# Only record.json is declared: Snakemake deletes what a job declares before it starts and when it fails, and beside it lies the
# checkpoint, from which the next try goes on. It is written when training is done. `exec`: a signal meets Python, which saves.
rule train:
    output:
        f"{OUT}/{{paper}}/{{experiment}}/{{run}}/record.json",
    log:
        "_build/train/{paper}/{experiment}/{run}.log",
    params:
        options=train_options,
        gpus=lambda wildcards, resources: words("gpus") if resources.gpu else [],
    wildcard_constraints:
        paper="[^/]+",
        experiment="[^/]+",
        run="seed[^/]+",
    threads: lambda wildcards: 1 + gpus(wildcards)  # on a CPU always one: the same bits wherever it runs
    retries: 3
    resources:
        gpu=gpus,
        runtime=240,  # minutes of one try
        mem_mb=8000,
    shell:
        # Snakemake counts GPUs and does not say which: a job takes the first whose lock is free, and holds it until it ends.
        "while [ '{params.gpus}' ]; do for gpu in {params.gpus}; do exec 9> .snakemake/gpu$gpu;"
        " if flock --nonblock 9; then export CUDA_VISIBLE_DEVICES=$gpu; break 2; fi; done; sleep 1; done; "
        "exec python -m srlib train {wildcards.experiment} {params.options:q} > {log} 2>&1"
