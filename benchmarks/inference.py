"""Inference side by side: plain eager PyTorch, srlib and ONNX Runtime, on the same network and image.

    python benchmarks/inference.py                     # everything: half an hour on two cores, which must be quiet
    python benchmarks/inference.py --models vdsr --sizes 288 --repeats 3

Each way of computing lives in a process of its own, as a user's would, with default settings; they take turns, A B C A B C, so
that a machine that drifts drifts for all. Seconds and ratios are medians over turns. Weights are random, and the last layer's
small, so that outputs are about as large as an image. Writes `results/benchmarks/inference.json`.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from torch import nn

from srlib.cli.memory import steady_memory
from srlib.files import write_atomically
from srlib.inference.onnx import to_onnx
from srlib.inference.tiling import run_network, to_tensor
from srlib.models import MODELS, macs_per_pixel, meta_model
from srlib.records.provenance import ROOT, commit, environment
from srlib.training.devices import device_name

NAMES = ("srcnn_955", "srcnn_915", "vdsr", "drrn_b1u9", "drrn_b1u25", "dsrn_t7_x2", "dsrn_t7_x4", "rlcsc_k25", "drn_x3")
LARGE = ("vdsr", "drrn_b1u9", "dsrn_t7_x2", "drn_x3")  # at 1024 the others take minutes a call
WAYS = ("plain", "srlib", "onnxruntime")


def image(model: nn.Module, size: int) -> tuple[np.ndarray, np.ndarray, int]:
    """A random LR image and its interpolation, `size` pixels a side (or the next multiple of the scale below)."""
    scale = model.scale or 3
    lr = np.random.default_rng(0).random((size // scale, size // scale, *([3] if model.colour == "rgb" else [])))
    ilr = np.random.default_rng(1).random((size // scale * scale, size // scale * scale))
    return lr, ilr, scale


def prepare(name: str, way: str):
    """A function from (lr, ilr, scale) to the network's output, and its first call's cost is not counted."""
    torch.manual_seed(0)
    model = MODELS[name]().eval()
    with torch.no_grad():
        model.reconstruction.weight *= 0.05
    if way == "srlib":

        def as_command(lr, ilr, scale):  # `python -m srlib upscale` keeps memory, too
            sr = np.empty((*ilr.shape, *lr.shape[2:]))
            with steady_memory():
                run_network(model, lr.__getitem__, ilr.__getitem__, sr.__setitem__, lr.shape[:2], scale)
            return np.atleast_3d(sr)

        return as_command
    if way == "onnxruntime":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(to_onnx(model), options, providers=["CPUExecutionProvider"])
        names = [i.name for i in session.get_inputs()]

        def forward(lr, ilr):
            given = {"lr": lr.numpy(), "ilr": ilr.numpy()}
            return torch.from_numpy(session.run(None, {n: given[n] for n in names})[0])

    else:
        forward = model.predict

    def call(lr, ilr, scale):
        with torch.no_grad():
            return forward(to_tensor(lr), to_tensor(ilr))[0].permute(1, 2, 0).double().numpy()

    return call


def worker(name: str, way: str, pipe: Connection) -> None:
    """Serve one way of computing: receives a size, sends seconds, page faults, peak memory and the output."""
    call = prepare(name, way)
    while (size := pipe.recv()) is not None:
        torch.manual_seed(0)
        inputs = image(meta_model(MODELS[name]), size)
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        began = time.perf_counter()
        output = call(*inputs)
        seconds = time.perf_counter() - began
        usage = resource.getrusage(resource.RUSAGE_SELF)
        pipe.send((seconds, usage.ru_minflt - faults, usage.ru_maxrss / 1024, output))


def compare(name: str, size: int, ways: tuple[str, ...], repeats: int) -> list[dict]:
    """Rows of the report for one network at one size."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = {}, []
    for way in ways:
        pipes[way], end = context.Pipe()
        processes.append(context.Process(target=worker, args=(name, way, end), daemon=True))
        processes[-1].start()
        pipes[way].send(64)  # import, export and compile, and warm up
        pipes[way].recv()
    turns = []
    for turn in range(repeats + (size <= 512)):  # the first turn of a small size is a warm-up
        answers = {}
        for way in ways:
            pipes[way].send(size)
            answers[way] = pipes[way].recv()
        if turn or size > 512:
            turns.append(answers)
        print(f"{name} {size}: " + ", ".join(f"{way} {answers[way][0]:.2f} s" for way in ways), flush=True)
    for pipe in pipes.values():
        pipe.send(None)
    for process in processes:
        process.join()
    scale = meta_model(MODELS[name]).scale or 3
    work = 2 * macs_per_pixel(MODELS[name], scale) * (size // scale * scale) ** 2
    rows = []
    for way in ways:
        seconds = [t[way][0] for t in turns]
        rows.append(
            {
                "model": name,
                "size": size,
                "way": way,
                "commit": commit(),
                "seconds": round(statistics.median(seconds), 4),
                "fastest": round(min(seconds), 4),
                "slowest": round(max(seconds), 4),
                "turns": len(turns),
                "times_plain": round(statistics.median(t["plain"][0] / t[way][0] for t in turns), 3),
                "gflops": round(work / statistics.median(seconds) / 1e9, 1),
                "page_faults": int(statistics.median(t[way][1] for t in turns)),
                "peak_mib": round(max(t[way][2] for t in turns)),
                "difference": float(255 * np.abs(turns[0][way][3] - turns[0]["plain"][3]).max()),
            }
        )
    return rows


def main() -> None:
    """Measure what was asked for and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=NAMES)
    parser.add_argument("--sizes", nargs="+", type=int, default=(288, 1024))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="some of them, beside the plain one")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--update", action="store_true", help="keep the other rows of an existing report")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "benchmarks" / "inference.json")
    options = parser.parse_args()
    ways = tuple(way for way in WAYS if way in ("plain", *options.ways))
    rows = []
    for size in options.sizes:
        for name in options.models if size <= 512 else [n for n in options.models if n in LARGE]:
            rows += compare(name, size, ways, options.repeats if size <= 512 else max(1, options.repeats // 2))
    report = {
        "device": device_name("cpu"),
        "threads": torch.get_num_threads(),
        "commit": commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "environment": environment(),
        "rows": rows,
    }
    if options.update and options.out.exists():
        old = json.loads(options.out.read_text())
        again = {(row["model"], row["size"]) for row in rows}
        report["rows"] = [{"commit": old["commit"]} | r for r in old["rows"] if (r["model"], r["size"]) not in again] + rows
    write_atomically(options.out, json.dumps(report, indent=1) + "\n")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
