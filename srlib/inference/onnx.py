"""Networks for other runtimes: ONNX files.

An exported network takes any height and width; its inputs have the names of the model's domain (`lr`, `ilr`), its output is
`sr`. The packages come with `pip install srlib[export]`.
"""

import importlib
import logging
import warnings
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from srlib.errors import InputError
from srlib.files import check_output, write_atomically

OPSET = 18
TOLERANCE = 1e-4  # of a pixel in 0..1: a fortieth of a grey level


def to_onnx(model: nn.Module) -> bytes:
    """A network with its weights as ONNX, for any height and width; an `InputError` if the packages for it are missing."""
    _package("onnxscript")
    rows, columns = (torch.export.Dim(name, min=2, max=2**15) for name in ("height", "width"))
    names = model.domain.split("+")
    zooms = [(model.scale or 1) if name == "ilr" and "lr" in names else 1 for name in names]
    options = {"input_names": names, "output_names": ["sr"], "opset_version": OPSET, "dynamo": True, "verbose": False}
    options["dynamic_shapes"] = tuple({2: zoom * rows, 3: zoom * columns} for zoom in zooms)
    inputs = tuple(torch.zeros(1, model.channels, zoom * 16, zoom * 18) for zoom in zooms)
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # its warnings are about its own calls, and about packages that we do not use
    try:
        with warnings.catch_warnings(action="ignore"):
            return torch.onnx.export(model.eval().cpu(), inputs, **options).model_proto.SerializeToString()
    finally:
        logger.setLevel(level)


def export_onnx(model: nn.Module, path: str | Path, lr: torch.Tensor, ilr: torch.Tensor) -> float:
    """Write an ONNX file, after a comparison of ONNX Runtime's output with torch's.

    Parameters
    ----------
    model : torch.nn.Module
        One of `srlib.models`, with its weights.
    path : path
        Path of the `.onnx` file.
    lr, ilr : torch.Tensor
        Image for the comparison, `(1, C, H, W)`, and its interpolation, 0..1.

    Returns
    -------
    float
        The largest absolute difference of the outputs, in the range 0..1 of pixels.

    Raises
    ------
    InputError
        If the two differ by more than 0.0001; nothing is written.
    """
    check_output(path)
    onnx = to_onnx(model)
    session = _package("onnxruntime").InferenceSession(onnx, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        torch_sr = model.predict(lr, ilr)
    arrays = {"lr": lr.numpy(), "ilr": ilr.numpy()}
    (onnx_sr,) = session.run(None, {i.name: arrays[i.name] for i in session.get_inputs()})
    difference = float((torch_sr - torch.from_numpy(onnx_sr)).abs().max())
    if not difference <= TOLERANCE:
        message = f"ONNX Runtime differs from torch by {difference:.1e} where {TOLERANCE} is allowed"
        raise InputError(f"{path} was not written: {message}.")
    write_atomically(path, onnx)
    return difference


def _package(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise InputError(f"{name} is not installed: run pip install srlib[export].") from None
