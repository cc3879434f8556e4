"""The device of a computation: its choice, name, precision and memory."""

import platform
import resource
import sys
from pathlib import Path

import torch

from srlib.errors import InputError

PRECISIONS = ("fp32", "bf16")


def choose_device(device: str) -> str:
    """'cpu' or 'cuda': the argument, or for 'auto' the GPU if there is one; an `InputError` for a GPU that is not there."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise InputError(f"device {device!r} is unknown: choose auto, cpu or cuda.")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device 'cuda' was asked for, but torch finds no GPU here: use --device cpu or auto.")
    return device


def choose_precision(device: str) -> str:
    """The default precision of a device: 'bf16' on a GPU and on processors that multiply in it, else 'fp32'."""
    return "bf16" if device == "cuda" or has_bf16() else "fp32"


def has_bf16() -> bool:
    """Whether this processor multiplies in bf16 (AVX-512 BF16 or AMX); on others bf16 is slow."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def device_name(device: str) -> str:
    """Name of the GPU, or of the processor with torch's number of threads, for the record."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return f"{name or platform.machine()}, {torch.get_num_threads()} threads"


def peak_memory(device: str) -> float:
    """Peak memory so far, in MB: of tensors on the GPU, or of this process."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
