"""From a trained network to an image: a model becomes a method that every protocol can score.

Always in fp32: half precision costs up to 0.16 dB, and every score of this project is a score of fp32.
"""

import numpy as np
import torch
from torch import nn

from srlib.images import rgb_to_ycbcr, to_float, ycbcr_to_rgb
from srlib.protocol import Method


@torch.no_grad()
def run_luma(model: nn.Module, luma: np.ndarray) -> np.ndarray:
    """Run a luma network on one image.

    Parameters
    ----------
    model : torch.nn.Module
        With `colour = 'luma'`.
    luma : numpy.ndarray
        `(H, W)`, 0..1: the interpolated image for an ILR model.

    Returns
    -------
    numpy.ndarray
        `(H, W)`, `float64`, about 0..1, not clipped.
    """
    device = next(model.parameters()).device
    x = torch.from_numpy(np.ascontiguousarray(luma, np.float32))[None, None].to(device, memory_format=torch.channels_last)
    model = model.eval().to(memory_format=torch.channels_last)
    return model(x)[0, 0].double().cpu().numpy()


def as_method(model: nn.Module) -> Method:
    """Wrap an ILR luma network as `method(lr, ilr, scale)` for `Protocol.evaluate`.

    Notes
    -----
    In an RGB protocol the network runs on the luma of the interpolated image and the chroma stays bicubic, as the papers do.
    """

    def method(lr: np.ndarray, ilr: np.ndarray, scale: int) -> np.ndarray:
        ilr = to_float(ilr)
        if ilr.ndim == 2:
            return run_luma(model, ilr)
        ycbcr = rgb_to_ycbcr(ilr)
        ycbcr[..., 0] = run_luma(model, ycbcr[..., 0])
        return ycbcr_to_rgb(ycbcr)

    return method
