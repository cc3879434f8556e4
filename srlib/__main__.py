"""The command line: `python -m srlib COMMAND`.

Exit status: 0 success, 1 a check failed, 2 bad usage or input, 130 interrupted.
"""

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from srlib import __version__
from srlib.cli import commands, pictures, scoring, weights
from srlib.cli.memory import steady_memory
from srlib.cli.scoring import report_failures
from srlib.datasets import DATASETS
from srlib.errors import InputError
from srlib.ledger.rows import KINDS, VERDICTS
from srlib.papers import PAPERS
from srlib.protocol import METRICS, PROTOCOLS, SCALES

WEIGHTS = ".safetensors, .pth, .pt or .npz"


def main(arguments: list[str] | None = None) -> int:
    """The exit status of a command line, after its command has run."""
    options = _parser().parse_args(arguments)
    try:
        status = options.command(options) or 0
        sys.stdout.flush()
        return status
    except InputError as error:
        return report_failures([error])
    except KeyboardInterrupt as stop:
        print(f"srlib: {str(stop) or 'stopped'}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has ended
        _drop_output()
        return 0
    except OSError as error:  # of the machine: a disk that is full, a folder that may not be read
        print(f"srlib: The system refused it ({error}): make room, or choose another place.", file=sys.stderr)
        _drop_output()
        return 2
    except (MemoryError, RuntimeError) as error:
        if not (isinstance(error, MemoryError) or "memory" in str(error)):  # torch's own is a RuntimeError
            raise
        print("srlib: There is not enough memory for this: give smaller pictures, or fewer at once.", file=sys.stderr)
        return 2


def _drop_output() -> None:
    """Send what is left of the output nowhere, or Python would try again at its end, and complain."""
    with suppress(OSError):  # a notebook's output is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers: give, say, 1,5,10") from None


def _parser() -> argparse.ArgumentParser:
    description = "A replication of four super-resolution papers, number by number."
    parser = argparse.ArgumentParser("python -m srlib", description=description)
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function: Callable[[argparse.Namespace], int | None]) -> Callable[..., argparse.Action]:
        subparser = subparsers.add_parser(name, help=function.__doc__, description=function.__doc__)
        subparser.set_defaults(command=function)
        return subparser.add_argument

    add = command("list", commands.list_command)
    add("--json", action="store_true")

    add = command("fetch", commands.fetch_command)
    add("name", nargs="+", help=f"one of {', '.join(DATASETS)}")
    add("--mirror", help="base URL of a server that holds <dataset>/<file> (default: SRLIB_MIRROR, or the source)")

    add = command("evaluate", scoring.evaluate_command)
    add("model", nargs="?", help="bicubic, vdsr (with --weights), or an experiment: see `list`")
    add("--results", type=Path, nargs="+", metavar="FOLDER", help="score the finished pictures in it, of any method, instead")
    add("--data", help="dataset or folder of originals (default: Set5, or Sample where it is not at hand)")
    add("--scale", type=int, choices=SCALES, default=3, help="default: 3")
    add("--protocol", default="drrn", help=f"one of {', '.join(PROTOCOLS)} (default: drrn)")
    add("--metrics", default=",".join(METRICS), help="some of psnr,ssim,ifc (IFC takes most of the time)")
    add("--weights", type=Path, help=WEIGHTS)
    add("--lr", type=Path, metavar="FOLDER", help="take these LR pictures, not the protocol's own")
    add("--name", metavar="PATTERN", help="of the files of --results or --lr, such as '{name}_x{scale}_mine'")
    add("--save", type=Path, metavar="FOLDER", help="write the pictures behind the numbers, as they are scored")
    add("--csv", type=Path, help="write the rows to this file, or to the output with -")
    add("--json", action="store_true")

    add = command("upscale", pictures.upscale_command)
    add("paths", type=Path, nargs="+", metavar="IN... OUT", help="a picture and a file; more, or folders, and a folder")
    add("--model", required=True, help="as for evaluate")
    add("--scale", type=int, choices=SCALES, required=True)
    add("--weights", type=Path, help=WEIGHTS)
    add("--tile", type=int, help="side of a tile in output pixels (default: as memory allows; the result is the same)")
    add("--self-ensemble", action="store_true", help="average over the eight turned and mirrored pictures")
    add("--lr", type=Path, metavar="FOLDER", help="enlarge a benchmark's LR pictures instead, named as its originals")
    add("--format", choices=("png", "tif", "jpg", "bmp", "webp"), help="of the files in a folder (default: the picture's own)")
    add("--skip-existing", action="store_true", help="leave out pictures whose output is there, whatever made it")

    add = command("export", pictures.export_command)
    add("model", help="as for evaluate")
    add("output", type=Path, help="an .onnx file")
    add("--scale", type=int, choices=SCALES, default=3)
    add("--weights", type=Path, help=WEIGHTS)

    add = command("import-weights", weights.import_weights_command)
    add("file", type=Path, help="weights of another program: .pth, .pt, .npz or .safetensors; nothing in it is run")
    add("--model", required=True, help="the network that they are for: see `list`")
    add("output", type=Path, help="a .safetensors file, which --weights takes")

    add = command("degrade", pictures.degrade_command)
    add("paths", type=Path, nargs="+", metavar="IN... OUT", help="a picture and a file; more, or folders, and a folder")
    add("--scale", type=int, nargs="+", choices=SCALES, required=True, help="several want a folder, for <name>x<scale>.png")
    add("--protocol", default="drrn", help=f"one of {', '.join(PROTOCOLS)} (default: drrn)")
    add("--format", choices=("png", "tif", "bmp", "npy"), help="of the files in a folder (default: png); npy is not rounded")

    add = command("train", commands.train_command)
    add("experiment", help="see `list`; narrow variants by name, such as drrn_b1u3_w16")
    add("--budget", type=float, default=1.0, help="fraction of the recipe's iterations (default: 1)")
    add("--fit", type=float, metavar="MINUTES", help="measure the speed; then a whole run that takes so long")
    add("--start-from", type=Path, metavar="RECORD", help="a further cycle from the weights of a finished record")
    add("--keep", type=_numbers, default=(), metavar="1,5,10", help="keep weights of these epochs or iterations")
    add("--recipe", default="fast", help="fast (default), published, or core: fast for one processor core")
    add("--seed", type=int, default=0)
    add("--device", default="auto", help="auto, cpu or cuda")
    add("--precision", default="auto", help="fp32 or bf16, of the convolutions in training; scores are fp32")
    add("--deterministic", action="store_true", help="on a GPU, the same bits each time")
    add("--minutes", type=float, help="stop cleanly after so long; run again to go on")
    add("--threads", type=int, metavar="N", help="processor threads (default: all cores)")
    add("--data", help="train on this dataset or folder instead")
    add("--lr", type=Path, metavar="FOLDER", help="take these LR pictures, one for each of the data, not the protocol's own")
    add("--name", metavar="PATTERN", help="of the files of --lr, such as '{name}_x{scale}'")
    add("--out", type=Path, help="folder of records (default: results/)")
    add("--score", nargs="*", help="datasets to score when done (default: Set5)")

    add = command("score", scoring.score_command)
    add("folder", nargs="+", type=Path, help="a record, such as results/drrn/drrn_b1u9/seed0")
    add("--data", nargs="+", help="datasets or folders (default: Set5)")
    add("--protocol", nargs="+", help="default: those of the experiment")
    add("--metrics", default=",".join(METRICS), help="some of psnr,ssim,ifc (the rest can be added later)")

    add = command("queue", commands.queue_command)
    add("--device", default="auto", help="auto, cpu or cuda")
    add("--number", type=int, default=12, help="of runs to show (default: 12)")
    add("--all", action="store_true", help="what is done, and what wants data that is not at hand, too")
    add("--json", action="store_true")

    add = command("work", commands.work_command)
    add("--minutes", type=float, required=True, help="for everything; what is unfinished goes on the next time")
    add("--jobs", type=int, default=1, help="runs side by side; the lists take turns (default: 1)")
    add("--threads", type=int, default=1, help="of each run, on cores of its own (default: 1)")
    add("--list", nargs="+", help="orders, flagships (default: both)")
    add("--group", help="only this group of the queue")
    add("--device", default="auto", help="auto, cpu or cuda")
    add("--out", type=Path, help="folder of records (default: results/)")

    add = command("merge", commands.merge_command)
    add("folder", nargs="+", type=Path, help="holds records at any depth")

    add = command("ledger", commands.ledger_command)
    add("--paper", nargs="+", choices=PAPERS, help="only of these papers")
    add("--verdict", choices=VERDICTS, help="only these")
    add("--kind", choices=KINDS, help="only these")
    add("--json", action="store_true")

    add = command("verify", commands.verify_command)
    add("--vdsr-weights", type=Path)
    add("--reference", type=Path, help="folder of the MATLAB witnesses (default: SRLIB_REFERENCE)")
    add("--all", action="store_true", help="score BSD100 and Urban100 too (minutes)")
    add("--json", action="store_true")
    return parser


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):  # a terminal may know fewer letters than a name has
        stream.reconfigure(errors="backslashreplace")
    with steady_memory():  # in the process of a command, not in one that imports the library
        sys.exit(main())
