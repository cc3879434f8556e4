"""The command line: `python -m srlib COMMAND`.

Exit status: 0 success, 1 a check failed, 2 bad usage or input, 130 interrupted.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from srlib import __version__
from srlib.cli import commands
from srlib.cli.memory import steady_memory
from srlib.datasets import DATASETS
from srlib.errors import InputError
from srlib.ledger.rows import KINDS, VERDICTS
from srlib.papers import PAPERS
from srlib.protocol import METRICS, PROTOCOLS, SCALES


def main(arguments: list[str] | None = None) -> int:
    """The exit status of a command line, after its command has run."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options) or 0
    except InputError as error:
        print(f"srlib: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"srlib: {stop or 'stopped'}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers: give, say, 1,5,10") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m srlib", description="A replication of four super-resolution papers, number by number."
    )
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function: Any) -> argparse.ArgumentParser:
        description = function.__doc__.strip()
        subparser = subparsers.add_parser(name, help=description, description=description)
        subparser.set_defaults(command=function)
        return subparser

    add = command("list", commands.list_command)
    add.add_argument("--json", action="store_true")

    add = command("fetch", commands.fetch_command)
    add.add_argument("name", nargs="+", help=f"one of {', '.join(DATASETS)}")
    add.add_argument("--mirror", help="base URL of a server that holds <dataset>/<file> (default: SRLIB_MIRROR, or the source)")

    add = command("evaluate", commands.evaluate_command)
    add.add_argument("model", help="bicubic, vdsr (with --weights), or an experiment: see `list`")
    add.add_argument("--data", help="dataset or folder (default: Set5, or Sample where it is not at hand)")
    add.add_argument("--scale", type=int, choices=SCALES, default=3)
    add.add_argument("--protocol", default="drrn", help=f"one of {', '.join(PROTOCOLS)} (default: drrn)")
    add.add_argument("--metrics", default=",".join(METRICS), help="some of psnr,ssim,ifc (IFC takes most of the time)")
    add.add_argument("--weights", type=Path, help=".safetensors, or VDSR's release as .npz")
    add.add_argument("--csv", type=Path, help="write the rows to this file, or to the output with -")
    add.add_argument("--json", action="store_true")

    add = command("upscale", commands.upscale_command)
    add.add_argument(
        "paths", type=Path, nargs="+", metavar="IN... OUT", help="a picture and a file; more, or a folder, and a folder"
    )
    add.add_argument("--model", required=True, help="as for evaluate")
    add.add_argument("--scale", type=int, choices=SCALES, required=True)
    add.add_argument("--weights", type=Path, help=".safetensors, or VDSR's release as .npz")
    add.add_argument(
        "--tile", type=int, help="side of a tile in output pixels (default: as memory allows; the result is the same)"
    )
    add.add_argument("--self-ensemble", action="store_true", help="average over the eight turned and mirrored pictures")

    add = command("export", commands.export_command)
    add.add_argument("model", help="as for evaluate")
    add.add_argument("output", type=Path, help="an .onnx file")
    add.add_argument("--scale", type=int, choices=SCALES, default=3)
    add.add_argument("--weights", type=Path, help=".safetensors, or VDSR's release as .npz")

    add = command("degrade", commands.degrade_command)
    add.add_argument("input", type=Path)
    add.add_argument("output", type=Path, help="an image file, or .npy for the exact values")
    add.add_argument("--scale", type=int, choices=SCALES, required=True)
    add.add_argument("--protocol", default="drrn")

    add = command("train", commands.train_command)
    add.add_argument("experiment", help="see `list`; narrow variants by name, such as drrn_b1u3_w16")
    add.add_argument("--budget", type=float, default=1.0, help="fraction of the recipe's iterations (default: 1)")
    add.add_argument("--fit", type=float, metavar="MINUTES", help="measure the speed; then a whole run that takes so long")
    add.add_argument("--start-from", type=Path, metavar="RECORD", help="a further cycle from the weights of a finished record")
    add.add_argument("--keep", type=_numbers, default=(), metavar="1,5,10", help="keep weights of these epochs or iterations")
    add.add_argument("--recipe", default="fast", help="fast (default), published, or core: fast for one processor core")
    add.add_argument("--seed", type=int, default=0)
    add.add_argument("--device", default="auto", help="auto, cpu or cuda")
    add.add_argument("--precision", default="auto", help="fp32 or bf16, of the convolutions in training; scores are fp32")
    add.add_argument("--deterministic", action="store_true", help="on a GPU, the same bits each time")
    add.add_argument("--minutes", type=float, help="stop cleanly after so long; run again to go on")
    add.add_argument("--threads", type=int, choices=range(1, 257), metavar="N", help="processor threads (default: all cores)")
    add.add_argument("--data", help="train on this dataset or folder instead")
    add.add_argument("--out", type=Path, help="folder of records (default: results/)")
    add.add_argument("--score", nargs="*", help="datasets to score when done (default: Set5)")

    add = command("score", commands.score_command)
    add.add_argument("folder", nargs="+", type=Path, help="a record, such as results/drrn/drrn_b1u9/seed0")
    add.add_argument("--data", nargs="+", help="datasets or folders (default: Set5)")
    add.add_argument("--protocol", nargs="+", help="default: those of the experiment")
    add.add_argument("--metrics", default=",".join(METRICS), help="some of psnr,ssim,ifc (the rest can be added later)")

    add = command("queue", commands.queue_command)
    add.add_argument("--device", default="auto", help="auto, cpu or cuda")
    add.add_argument("--number", type=int, default=12, help="of runs to show (default: 12)")
    add.add_argument("--all", action="store_true", help="what is done, and what wants data that is not at hand, too")
    add.add_argument("--json", action="store_true")

    add = command("work", commands.work_command)
    add.add_argument("--minutes", type=float, required=True, help="for everything; what is unfinished goes on the next time")
    add.add_argument("--jobs", type=int, default=1, help="runs side by side; the lists take turns (default: 1)")
    add.add_argument("--threads", type=int, default=1, help="of each run, on cores of its own (default: 1)")
    add.add_argument("--list", nargs="+", help="orders, flagships (default: both)")
    add.add_argument("--group", help="only this group of the queue")
    add.add_argument("--device", default="auto", help="auto, cpu or cuda")
    add.add_argument("--out", type=Path, help="folder of records (default: results/)")

    add = command("merge", commands.merge_command)
    add.add_argument("folder", nargs="+", type=Path, help="holds records at any depth")

    add = command("ledger", commands.ledger_command)
    add.add_argument("--paper", nargs="+", choices=PAPERS, help="only of these papers")
    add.add_argument("--verdict", choices=VERDICTS, help="only these")
    add.add_argument("--kind", choices=KINDS, help="only these")
    add.add_argument("--json", action="store_true")

    add = command("verify", commands.verify_command)
    add.add_argument("--vdsr-weights", type=Path)
    add.add_argument("--reference", type=Path, help="folder of the MATLAB witnesses (default: SRLIB_REFERENCE)")
    add.add_argument("--all", action="store_true", help="score BSD100 and Urban100 too (minutes)")
    add.add_argument("--json", action="store_true")
    return parser


if __name__ == "__main__":
    with steady_memory():  # in the process of a command, not in one that imports the library
        sys.exit(main())
