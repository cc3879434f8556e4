"""What computes: the device and its name, how fast it multiplies, and several processes that share one training."""

import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import distributed, nn

from srlib.errors import InputError

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def choose_device(device: str) -> str:
    """Resolve 'auto'; an `InputError` if a GPU is asked for where there is none."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise InputError(f"device {device!r} is unknown: choose auto, cpu or cuda.")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device 'cuda' was asked for, but torch finds no GPU here: use --device cpu or auto.")
    return device


def choose_precision(device: str) -> str:
    """What 'auto' is: bf16 on a GPU and on processors that multiply in it, fp32 elsewhere."""
    return "bf16" if device == "cuda" or has_bf16() else "fp32"


def has_bf16() -> bool:
    """Whether this processor multiplies in bf16 (AVX-512 BF16 or AMX): elsewhere that is slow."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def device_name(device: str) -> str:
    """The processor's or GPU's own name, for the record."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return f"{name or platform.machine()}, {torch.get_num_threads()} threads"


@lru_cache
def peak_flops(device: str, precision: str) -> float:
    """The most floating-point operations a second seen here and now: of matrix products on a GPU, of convolutions on a CPU.

    Notes
    -----
    A CPU's best library product can reach half of what its convolutions do, so each device is measured by what it is good at.
    A multiplication with its addition counts as two operations.
    """
    dtype, best = PRECISIONS[precision], 0.0
    with torch.inference_mode():
        if device == "cuda":
            a, b = torch.rand(2, 8192, 8192, device=device, dtype=dtype).unbind()
            for _ in range(4):
                torch.cuda.synchronize()
                began = time.perf_counter()
                for _ in range(8):
                    a @ b
                torch.cuda.synchronize()
                best = max(best, 8 * 2 * 8192**3 / (time.perf_counter() - began))
            return best
        for width, side in ((64, 48), (64, 288), (128, 48), (128, 288), (256, 24), (256, 144)):
            conv = nn.Conv2d(width, width, 3, padding=1).to(dtype).to(memory_format=torch.channels_last)
            x = torch.rand(1, width, side, side, dtype=dtype).to(memory_format=torch.channels_last)
            work = 2 * 9 * width * width * side * side
            calls = max(1, int(4e9 / work))
            for _ in range(4):
                began = time.perf_counter()
                for _ in range(calls):
                    conv(x)
                best = max(best, calls * work / (time.perf_counter() - began))
    return best


def peak_memory(device: str) -> float:
    """The most memory in use so far, in MB: of the GPU for tensors, or of this process."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


@dataclass(frozen=True)
class Processes:
    """The processes of one training: this one's number, and how many there are."""

    rank: int = 0
    count: int = 1

    def agree(self, values: list[float]) -> list[float]:
        """What the first process says, in all of them."""
        if self.count == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64, device="cuda" if distributed.get_backend() == "nccl" else "cpu")
        distributed.broadcast(tensor, 0)
        return tensor.tolist()


@contextmanager
def processes(device: str) -> Iterator[Processes]:
    """Join the processes that `torchrun` started, one a GPU; alone without it."""
    count = int(os.environ.get("WORLD_SIZE", 1))
    if count == 1:
        yield Processes()
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield Processes(distributed.get_rank(), count)
    finally:
        distributed.destroy_process_group()
