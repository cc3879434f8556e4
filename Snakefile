# The pipeline: committed records -> papermill -> Jupyter Book. It trains nothing; `python -m srlib train` does.
#
#   snakemake --cores 2 book            (what `make book` runs)
#   snakemake --cores 2 --forcerun notebook -- book   after changing datasets in place
import os
from glob import glob
from pathlib import Path

NOTEBOOKS = ["bicubic", "drrn_BU_grid", "recurrence", "rlcsc_sparse_coding"]
SOURCES = [path for path in glob("srlib/**/*", recursive=True) if path.endswith((".py", ".csv", ".json"))]
RECORDS = glob("results/*/*/seed*/*.json") + glob("results/*/*/seed*/*.csv")

# All tools of the environment that runs Snakemake, whether or not it is activated.
os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


localrules:
    book,


rule book:
    input:
        expand("book/notebooks/{name}.ipynb", name=NOTEBOOKS),
        glob("book/*.md"),
        glob("book/_*/*"),
        "book/_toc.yml",
        "_config.yml",
        SOURCES,
        RECORDS,
    output:
        "_build/html/index.html",
    log:
        "_build/book.log",
    shell:
        "jupyter-book build book --config _config.yml --path-output . --all -W -n --keep-going > {log} 2>&1"
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
    threads: 2
    shell:
        "papermill {input[0]} {output} --log-level WARNING --progress-bar"
