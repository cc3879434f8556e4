"""DRRN: Y. Tai, J. Yang, X. Liu, "Image Super-Resolution via Deep Recursive Residual Network", CVPR 2017.

A very deep network with few parameters. Its unit is a residual pair of convolutions; U units in a row *share* their weights
(recursive learning) and all add the same H^0 (multi-path local residual learning); B such recursive blocks follow one another,
and the whole predicts the residual over the interpolated image (global residual learning).

Readings, where the paper is silent and the released code speaks:

* Every convolution is preceded by batch normalisation and ReLU, the very first (one channel) and the last included.
* Convolutions are shared among the U recursions of a block; batch normalisation is *not*: each application has its own
  statistics, scale and shift.
* Convolutions have biases. The paper counts weights only, so `params` does too.
* Initialisation is He's with fan-in (Caffe's `msra`); running statistics move by 0.001 a step (Caffe's 0.999).
* U = 0 leaves B convolutions and the last: VDSR's shape, though with pre-activation and batch normalisation.

Parameters 9 (2n + (B - 1) n^2 + 2 B n^2) for n filters (297,216 for B1U9 and B1U25); depth d = (1 + 2U)B + 1 (Eq. 7).
"""

import torch
from torch import nn


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-5, momentum=0.001)


def _conv(channels_in: int, channels_out: int) -> nn.Conv2d:
    conv = nn.Conv2d(channels_in, channels_out, 3, padding=1)
    nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="relu")
    nn.init.zeros_(conv.bias)
    return conv


class RecursiveBlock(nn.Module):
    """The recursive block R_b: one convolution f_b, then U residual units that share the weights W_b (Section 3.2).

    Parameters
    ----------
    channels_in : int
        1 for the first block, `width` after it.
    U : int
        Residual units, 0 or more.
    width : int
        Filters of every convolution.
    """

    def __init__(self, channels_in: int, U: int, width: int) -> None:
        super().__init__()
        self.norm = _norm(channels_in)
        self.conv = _conv(channels_in, width)  # f_b
        if U:
            self.conv_1, self.conv_2 = _conv(width, width), _conv(width, width)  # W_b, used U times
        self.norms_1 = nn.ModuleList(_norm(width) for _ in range(U))
        self.norms_2 = nn.ModuleList(_norm(width) for _ in range(U))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map x_{b-1} `(N, channels_in, H, W)` to x_b `(N, width, H, W)`."""
        h_0 = self.conv(torch.relu(self.norm(x)))  # H_b^0 = f_b(x_{b-1})
        h = h_0
        for norm_1, norm_2 in zip(self.norms_1, self.norms_2, strict=True):
            # Eq. 5: H_b^u = F(H_b^{u-1}, W_b) + H_b^0, the same H_b^0 for every u (multi-path)
            residual = self.conv_1(torch.relu(norm_1(h)))
            residual = self.conv_2(torch.relu(norm_2(residual)))
            h = residual + h_0
        return h  # Eq. 6: x_b = H_b^U


class DRRN(nn.Module):
    """Deep recursive residual network on the interpolated luma.

    Parameters
    ----------
    B : int
        Recursive blocks, 1 or more.
    U : int
        Residual units a block, 0 or more.
    width : int
        Filters of every convolution; 128 in the paper.
    """

    domain = "ilr"
    colour = "luma"

    def __init__(self, B: int, U: int, width: int = 128) -> None:
        super().__init__()
        self.depth = (1 + 2 * U) * B + 1  # Eq. 7
        self.blocks = nn.ModuleList(RecursiveBlock(width if b else 1, U, width) for b in range(B))
        self.norm = _norm(width)
        self.reconstruction = _conv(width, 1)  # f_Rec

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map the interpolated luma `(N, 1, H, W)` in 0..1 to the high-resolution one, same shape and range."""
        x_b = x
        for block in self.blocks:
            x_b = block(x_b)  # Eq. 8
        return self.reconstruction(torch.relu(self.norm(x_b))) + x  # Eq. 9


def drrn(B: int, U: int, width: int = 128) -> DRRN:
    """DRRN_BxUy; `width` below 128 gives this project's narrow variants for the CPU."""
    return DRRN(B, U, width)


def drrn_b1u9() -> DRRN:
    """DRRN_B1U9: 20 layers, 297K parameters."""
    return DRRN(B=1, U=9)


def drrn_b1u25() -> DRRN:
    """DRRN_B1U25: 52 layers, 297K parameters; the paper's best."""
    return DRRN(B=1, U=25)
