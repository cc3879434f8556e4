"""Inference side by side: plain eager PyTorch, srlib's default, ONNX Runtime and OpenVINO, on the same network and image.

    python benchmarks/inference.py                     # everything: half an hour on two cores, which must be quiet
    python benchmarks/inference.py --models vdsr --sizes 288 --repeats 3

Each way of computing lives in a process of its own, as a user's would, with default settings; they take turns, A B C A B C, so
that a machine that drifts drifts for all. Each turn also measures the peak, the best rate of a single convolution in 24 tries.
Ratios, seconds and shares of the peak are medians over turns; since a network has one try a turn and the peak many, the share
that its best turn has of the best peak stands beside, for machines that others use too. Weights are random (the last layer's
small, so that outputs are about as large as an image), but for the cost of precision, which needs real ones.
Writes `results/benchmarks/inference.json`.
"""

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from torch import nn

from srlib.datasets import at_hand, open_images
from srlib.files import write_atomically
from srlib.inference.enlarge import as_method
from srlib.inference.onnx import openvino, to_onnx
from srlib.inference.tiling import run_network, steady_memory, to_tensor
from srlib.models import MODELS, VDSR, macs_per_pixel, outline, run
from srlib.protocol import PROTOCOLS, SCALES
from srlib.records.provenance import ROOT, commit, environment
from srlib.records.record import find_records
from srlib.training.checkpoint import load_weights
from srlib.training.devices import device_name, has_bf16, peak_flops

NAMES = ("srcnn_955", "srcnn_915", "vdsr", "drrn_b1u9", "drrn_b1u25", "dsrn_t7_x2", "dsrn_t7_x4", "rlcsc_k25", "drn_x3")
LARGE = ("vdsr", "drrn_b1u9", "dsrn_t7_x2", "drn_x3")  # at 1024 the others take minutes a call
WAYS = ("plain", "srlib", "onnxruntime", "openvino", "plain bf16", "srlib bf16", "openvino bf16")


def image(model: nn.Module, size: int) -> tuple[np.ndarray, np.ndarray, int]:
    """A random LR image and its interpolation, `size` pixels a side (or the next multiple of the scale below)."""
    scale = getattr(model, "scale", 3)
    lr = np.random.default_rng(0).random((size // scale, size // scale, *([3] if model.colour == "rgb" else [])))
    ilr = np.random.default_rng(1).random((size // scale * scale, size // scale * scale))
    return lr, ilr, scale


def prepare(name: str, way: str):
    """A function from (lr, ilr, scale) to the network's output, and its first call's cost is not counted."""
    if way.startswith("peak"):
        precision = "bf16" if way.endswith("bf16") else "fp32"
        return lambda lr, ilr, scale: np.array(peak_flops.__wrapped__("cpu", precision) / 1e9)
    torch.manual_seed(0)
    model = MODELS[name]().eval()
    with torch.no_grad():
        model.reconstruction.weight *= 0.05
    if way.startswith("srlib"):
        precision = "bf16" if way.endswith("bf16") else "fp32"

        def as_command(lr, ilr, scale):  # `python -m srlib upscale` keeps memory, too
            with steady_memory():
                return run_network(model, lr, ilr, scale, precision=precision)

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

    elif way.startswith("openvino"):
        forward = openvino(model, "bf16" if way.endswith("bf16") else "fp32")
    elif way == "plain bf16":
        model = model.to(torch.bfloat16)

        def forward(lr, ilr):
            return run(model, lr.bfloat16(), ilr.bfloat16()).float()

    else:

        def forward(lr, ilr):
            return run(model, lr, ilr)

    def call(lr, ilr, scale):
        with torch.no_grad():
            return forward(to_tensor(lr), to_tensor(ilr))[0].permute(1, 2, 0).double().numpy()

    return call


def worker(name: str, way: str, pipe: Connection) -> None:
    """Serve one way of computing: receives a size, sends seconds, page faults, peak memory and the output."""
    call = prepare(name, way)
    while (size := pipe.recv()) is not None:
        torch.manual_seed(0)
        inputs = image(outline(MODELS[name]), size)
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        began = time.perf_counter()
        output = call(*inputs)
        seconds = time.perf_counter() - began
        usage = resource.getrusage(resource.RUSAGE_SELF)
        pipe.send((seconds, usage.ru_minflt - faults, usage.ru_maxrss / 1024, output))


def compare(name: str, size: int, ways: tuple[str, ...], repeats: int) -> list[dict]:
    """Rows of the report for one network at one size."""
    context = multiprocessing.get_context("spawn")
    probes = ("peak", "peak bf16") if any(way.endswith("bf16") for way in ways) else ("peak",)
    pipes, processes = {}, []
    for way in (*probes, *ways):
        pipes[way], end = context.Pipe()
        processes.append(context.Process(target=worker, args=(name, way, end), daemon=True))
        processes[-1].start()
        pipes[way].send(64)  # import, export and compile, and warm up
        pipes[way].recv()
    turns = []
    for turn in range(repeats + (size <= 512)):  # the first turn of a small size is a warm-up
        answers = {}
        for way in (*probes, *ways):
            pipes[way].send(size)
            answers[way] = pipes[way].recv()
        if turn or size > 512:
            turns.append(answers)
        print(f"{name} {size}: " + ", ".join(f"{way} {answers[way][0]:.2f} s" for way in ways), flush=True)
    for pipe in pipes.values():
        pipe.send(None)
    for process in processes:
        process.join()
    scale = getattr(outline(MODELS[name]), "scale", 3)
    work = 2 * macs_per_pixel(MODELS[name], scale) * (size // scale * scale) ** 2
    rows = []
    for way in ways:
        seconds = [t[way][0] for t in turns]
        peaks = [float(t["peak bf16" if way.endswith("bf16") else "peak"][3]) for t in turns]
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
                "of_peak": round(statistics.median(work / s / 1e9 / peak for s, peak in zip(seconds, peaks, strict=True)), 3),
                "best_of_peak": round(work / min(seconds) / 1e9 / max(peaks), 3),
                "peak_gflops": round(statistics.median(peaks), 1),
                "page_faults": int(statistics.median(t[way][1] for t in turns)),
                "peak_mib": round(max(t[way][2] for t in turns)),
                "difference": float(255 * np.abs(turns[0][way][3] - turns[0]["plain"][3]).max()),
            }
        )
    return rows


def precision_cost(vdsr_weights: Path | None) -> list[dict]:
    """PSNR in bf16 minus PSNR in fp32 on Set5, for networks with trained weights."""
    if not at_hand("Set5"):
        return []
    networks = [(r.info["experiment"], r.model(), (3,)) for r in find_records() if (r.folder / "weights.safetensors").exists()]
    networks = list({n[0]: n for n in networks}.values())  # one seed of each
    if vdsr_weights:
        networks.append(("vdsr, released weights", load_weights(VDSR(), vdsr_weights), SCALES))
    rows = []
    for name, model, scales in networks:
        for scale in scales:
            psnr = {}
            for precision in ("fp32", "bf16"):
                method = as_method(model, precision=precision)
                scores = [PROTOCOLS["drrn"].evaluate(hr, scale, method, ("psnr",)).psnr for _, hr in open_images("Set5")]
                psnr[precision] = float(np.mean(scores))
            rows.append({"model": name, "scale": scale, **{k: round(v, 4) for k, v in psnr.items()}})
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure what was asked for and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=NAMES)
    parser.add_argument("--sizes", nargs="+", type=int, default=(288, 1024))
    parser.add_argument("--ways", nargs="+", default=None, help=f"of {', '.join(WAYS)}; bf16 only where the processor has it")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--update", action="store_true", help="keep the other rows of an existing report")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "benchmarks" / "inference.json")
    options = parser.parse_args()
    bf16 = has_bf16()
    ways = tuple(options.ways or (way for way in WAYS if bf16 or not way.endswith("bf16")))
    rows = []
    for size in options.sizes:
        for name in options.models if size <= 512 else [n for n in options.models if n in LARGE]:
            rows += compare(name, size, ways, options.repeats if size <= 512 else max(1, options.repeats // 2))
    weights = os.environ.get("SRLIB_VDSR_WEIGHTS")
    report = {
        "device": device_name("cpu"),
        "threads": torch.get_num_threads(),
        "bf16_in_hardware": bf16,
        "commit": commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "environment": environment(),
        "rows": rows,
        "precision": precision_cost(Path(weights) if weights else None) if not options.update else [],
    }
    if options.update and options.out.exists():
        old = json.loads(options.out.read_text())
        again = {(row["model"], row["size"]) for row in rows}
        report["rows"] = [{"commit": old["commit"]} | r for r in old["rows"] if (r["model"], r["size"]) not in again] + rows
        report["precision"] = old["precision"]
    write_atomically(options.out, json.dumps(report, indent=1) + "\n")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
