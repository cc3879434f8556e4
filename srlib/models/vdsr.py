"""VDSR: J. Kim, J. K. Lee, K. M. Lee, "Accurate Image Super-Resolution Using Very Deep Convolutional Networks", CVPR 2016.

Twenty 3 x 3 convolutions predict what bicubic interpolation has lost: y = f(x) + x. It is the baseline of all four papers, and
its released weights are this project's learned witness: they must score what the papers print for VDSR.

Readings: none; the released weights fix the architecture. Parameters: 664,704 weights; depth 20.
"""

from itertools import pairwise

import torch
from torch import nn


class VDSR(nn.Module):
    """Plain residual network on the interpolated luma.

    Parameters
    ----------
    depth : int
        Number of convolutions.
    width : int
        Filters of every layer but the last.
    """

    domain = "ilr"
    colour = "luma"

    def __init__(self, depth: int = 20, width: int = 64) -> None:
        super().__init__()
        widths = [1] + [width] * (depth - 1) + [1]
        self.depth = depth
        self.convs = nn.ModuleList(nn.Conv2d(n_in, n_out, 3, padding=1) for n_in, n_out in pairwise(widths))
        for conv in self.convs:
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)

    @property
    def reconstruction(self) -> nn.Conv2d:
        """The last convolution, which makes the residual image."""
        return self.convs[-1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map the interpolated luma `(N, 1, H, W)` in 0..1 to the high-resolution one, same shape and range."""
        h = x
        for conv in self.convs[:-1]:
            h = torch.relu(conv(h))  # (N, 64, H, W)
        return self.convs[-1](h) + x


def vdsr() -> VDSR:
    """The published network: 20 layers of 64 filters."""
    return VDSR()
