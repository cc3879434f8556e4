"""DRRN: Y. Tai, J. Yang, X. Liu, "Image Super-Resolution via Deep Recursive Residual Network", CVPR 2017.

A very deep network with few parameters. Its unit is a residual pair of convolutions; U units in a row *share* their weights
(recursive learning) and all add the same H^0 (multi-path local residual learning); B such recursive blocks follow one another,
and the whole predicts the residual over the interpolated image (global residual learning).

Readings, where the paper is silent and the released code speaks:

* Every convolution is preceded by batch normalisation and ReLU, the very first (one channel) and the last included. The first
  ReLU therefore acts on the image itself: with scale 1 and shift 0, the initial values, all pixels darker than the mean become
  zero, and the network sees no detail in them. `dark_below` gives the limit of a trained network. The recipes' `first_shift`
  is the initial shift; the architecture is the same for any.
* Convolutions are shared among the U recursions of a block; batch normalisation is *not*: each application has its own
  statistics, scale and shift.
* Convolutions have biases. The paper counts weights only, so `params` does too.
* Initialisation is He's with fan-in (Caffe's `msra`); running statistics move by 0.001 a step (Caffe's 0.999).
* U = 0 leaves B convolutions and the last: VDSR's shape, though with pre-activation and batch normalisation.
* The ablations of Section 4.5: NS gives every unit its own weights; C is the chain of Eq. 3, where a unit adds its own input
  instead of H^0; NS_C both. Table 4 heads its fourth column NS_C a second time; its ticks (recursive, not multi-path) say C.

Parameters 9 (2n + (B - 1) n^2 + 2 B n^2) for n filters (297,216 for B1U9 and B1U25) and
9 (2n + (B - 1) n^2 + 2 B U n^2) for NS. Depth d = (1 + 2U)B + 1 (Eq. 7); receptive field 2d + 1.
"""

import math

import torch
from torch import nn

from srlib.models.base import SRModel


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-5, momentum=0.001)


def _conv(channels_in: int, channels_out: int) -> nn.Conv2d:
    conv = nn.Conv2d(channels_in, channels_out, 3, padding=1)
    nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="relu")
    nn.init.zeros_(conv.bias)
    return conv


def dark_below(norm: nn.BatchNorm2d) -> float:
    """Luma (0..1) below which batch normalisation and ReLU, the first operations on the image, give zero.

    Parameters
    ----------
    norm : torch.nn.BatchNorm2d
        Of one channel: the first of a DRRN (`blocks[0].norm`) or of a VDSR with normalisation (`norms[0]`). Its running
        statistics are used, as in `eval` mode, whatever mode it is in.

    Returns
    -------
    float
        In 0..1, the range of the networks' input. At 0 no pixel is lost, at 1 all pixels are.

    Notes
    -----
    ReLU(gamma (x - mean) / std + beta) is zero for x <= mean - beta std / gamma if gamma is positive. A negative gamma cuts off
    bright pixels instead: the dark ones pass, or none does. With gamma = 0 the result is one constant for all pixels.
    """
    gamma, beta = norm.weight.item(), norm.bias.item()
    mean, std = norm.running_mean.item(), math.sqrt(norm.running_var.item() + norm.eps)
    if gamma > 0:
        return min(max(mean - beta * std / gamma, 0.0), 1.0)
    return 0.0 if beta - gamma * mean / std > 0 else 1.0  # the value at luma 0 is the largest


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
    shared : bool
        Whether the units share their weights; if not, NS.
    multi_path : bool
        Whether all units add H^0; if not, C, the chain.
    """

    def __init__(self, channels_in: int, U: int, width: int, shared: bool = True, multi_path: bool = True) -> None:
        super().__init__()
        self.shared, self.multi_path = shared, multi_path
        self.norm = _norm(channels_in)
        self.conv = _conv(channels_in, width)  # f_b
        if U and shared:
            self.conv_1, self.conv_2 = _conv(width, width), _conv(width, width)  # W_b, used U times
        elif U:
            self.conv_1 = nn.ModuleList(_conv(width, width) for _ in range(U))
            self.conv_2 = nn.ModuleList(_conv(width, width) for _ in range(U))
        self.norms_1 = nn.ModuleList(_norm(width) for _ in range(U))
        self.norms_2 = nn.ModuleList(_norm(width) for _ in range(U))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map x_{b-1} `(N, channels_in, H, W)` to x_b `(N, width, H, W)`."""
        h_0 = self.conv(self.norm(x).relu_())  # H_b^0 = f_b(x_{b-1})
        h = h_0
        for u in range(len(self.norms_1)):
            conv_1, conv_2 = (self.conv_1, self.conv_2) if self.shared else (self.conv_1[u], self.conv_2[u])
            # Eq. 5, with the same H_b^0 for every u; C: Eq. 3. In place, as all sums here: activations are most of the memory
            residual = self.residual(h, self.norms_1[u], conv_1, self.norms_2[u], conv_2)
            h = residual.add_(h_0 if self.multi_path else h)
        return h  # Eq. 6: x_b = H_b^U

    @staticmethod
    def residual(h: torch.Tensor, norm_1: nn.Module, conv_1: nn.Module, norm_2: nn.Module, conv_2: nn.Module) -> torch.Tensor:
        """F(H^{u-1}, W_b), the residual function of Figure 3: twice normalisation, ReLU, convolution."""
        return conv_2(norm_2(conv_1(norm_1(h).relu_())).relu_())


class DRRN(SRModel):
    """Deep recursive residual network on the interpolated luma.

    Parameters
    ----------
    B : int
        Recursive blocks, 1 or more.
    U : int
        Residual units a block, 0 or more.
    width : int
        Filters of every convolution; 128 in the paper.
    shared, multi_path : bool
        See `RecursiveBlock`; both true in DRRN itself.
    """

    domain = "ilr"

    def __init__(self, B: int, U: int, width: int = 128, shared: bool = True, multi_path: bool = True) -> None:
        super().__init__()
        self.depth = self.radius = (1 + 2 * U) * B + 1  # Eq. 7
        self.blocks = nn.ModuleList(RecursiveBlock(width if b else 1, U, width, shared, multi_path) for b in range(B))
        self.norm = _norm(width)
        self.reconstruction = _conv(width, 1)  # f_Rec

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map the interpolated luma `(N, 1, H, W)` in 0..1 to the high-resolution one, same shape and range."""
        x_b = x
        for block in self.blocks:
            x_b = block(x_b)  # Eq. 8
        return self.reconstruction(self.norm(x_b).relu_()) + x  # Eq. 9


def drrn_b1u9() -> DRRN:
    """DRRN_B1U9: 20 layers, 297,216 weights (Table 2)."""
    return DRRN(B=1, U=9)


def drrn_b1u25() -> DRRN:
    """DRRN_B1U25: 52 layers, as many weights (Table 2)."""
    return DRRN(B=1, U=25)


# B1U9 and B1U25 (Table 2), Figure 6 (B or U fixed to 3, and 52 layers), Figure 8 and Table 4 (three depths, four structures).
VARIANTS = {
    f"drrn_b{B}u{U}": {"B": B, "U": U}
    for B, U in ((1, 9), (1, 25), (1, 3), (2, 3), (3, 3), (4, 3), (3, 1), (3, 2), (3, 4), (17, 1), (3, 8))
} | {
    f"drrn_{name}_b3u{U}": {"B": 3, "U": U, **flags}
    for name, flags in {
        "ns": {"shared": False},
        "c": {"multi_path": False},
        "ns_c": {"shared": False, "multi_path": False},
    }.items()
    for U in (2, 3, 4)
}
