"""DRN: X. Sun, W. Lu, R. Wang, F. Bai, "Distilling with Residual Network for Single Image Super Resolution",
ICME 2019.

An RGB network at low resolution. A residual distilling block adds the first D_i of its D_i + d output channels to its input and
keeps the d others beside the sum, so the features widen by d a block: residual and dense at once. K blocks and a 1 x 1 fusion
make a group with a skip over it, G groups a network with a skip over them, and pixel shuffle enlarges at the end.

Readings, where text and equations leave a choice:

* A block is 1 x 1, 3 x 3, 1 x 1 (Introduction), each followed by ELU ("other layers in each RDB are followed by the ELU").
  Section 3.1's "3 x 3 for all layers" cannot be meant for it.
* The inner width is nowhere given. Of the readings that we searched only half the input width fits "54 % fewer parameters than
  EDSR".
* The fusion closes the *group* (Eq. 14, `fusion="group"`, default): C + K d = 136 channels back to 64. The introduction puts it
  at the end of every *block* (`fusion="block"`), which has fewer parameters in DRN and as many in DRN+.
* At x4 the image is shuffled twice by two, as EDSR does; Table 1's single stage would make DRN+ 43 % smaller, not 54 %.
* Eq. 7 composes all groups and adds Y_{g-1} again; only Eq. 6, read recursively, is consistent, and it is implemented.
* "No RDBs" (Table 2) is d = 0: the same blocks, nothing distilled.
* Initialisation is not mentioned: the framework's default.

DRN+ has C = 256. Depth 3GK + G + 3 and receptive field 2 (GK + 3) + 1 in pixels of LR, one convolution more at x4.
"""

import torch
from torch import nn
from torch.nn import functional as F

from srlib.models.base import SRModel


def _conv(channels_in: int, channels_out: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2)


def _elu(x: torch.Tensor) -> torch.Tensor:
    return F.elu(x, alpha=0.2, inplace=True)


class ResidualDistilling(nn.Module):
    """One residual distilling block, RDB (Figure 5).

    Parameters
    ----------
    D_i : int
        Channels of the input.
    d : int
        Distilled channels.
    fused : bool
        Whether a 1 x 1 convolution brings the output back to D_i (fusion at the end of each block).
    """

    def __init__(self, D_i: int, d: int, fused: bool) -> None:
        super().__init__()
        self.D_i = D_i
        self.reduce, self.conv, self.expand = _conv(D_i, D_i // 2, 1), _conv(D_i // 2, D_i // 2, 3), _conv(D_i // 2, D_i + d, 1)
        self.fuse = _conv(D_i + d, D_i, 1) if fused else None

    def forward(self, D: torch.Tensor) -> torch.Tensor:
        """Map `(N, D_i, H, W)` to `(N, D_{i+1}, H, W)`, D_{i+1} = D_i + d (Eq. 9) unless fused."""
        out = _elu(self.expand(_elu(self.conv(_elu(self.reduce(D))))))  # Eq. 10: [D_out, d] = F_rd(D_i)
        out = torch.cat([out[:, : self.D_i] + D, out[:, self.D_i :]], dim=1)  # Eq. 11: D_{i+1} = concat(D_out + D_i, d)
        return out if self.fuse is None else _elu(self.fuse(out))


class Group(nn.Module):
    """One residual distilling group, RDG (Figure 4): K blocks, fusion, long skip connection."""

    def __init__(self, C: int, K: int, d: int, fusion: str) -> None:
        super().__init__()
        grow = 0 if fusion == "block" else d
        self.blocks = nn.Sequential(*(ResidualDistilling(C + k * grow, d, fusion == "block") for k in range(K)))  # Eqs. 12, 13
        self.fuse = _conv(C + K * d, C, 1) if fusion == "group" else None  # F_p

    def forward(self, Y: torch.Tensor) -> torch.Tensor:
        """Map Y_{g-1} `(N, C, H, W)` to Y_g, same shape."""
        Y_gK = self.blocks(Y)
        return (Y_gK if self.fuse is None else _elu(self.fuse(Y_gK))) + Y  # Eqs. 14 and 15


class DRN(SRModel):
    """Distilling with residual network, from LR to HR in RGB.

    Parameters
    ----------
    scale : int
        2, 3 or 4.
    C : int
        Channels between groups; 64 in DRN, 256 in DRN+.
    G, K : int
        Groups, and blocks a group.
    d : int
        Distilled channels of a block; 0 for the plain network.
    fusion : {'group', 'block'}
        Position of the 1 x 1 fusion: at the end of each group, or of each block.
    """

    domain = "lr"
    colour = "rgb"
    reconstruct_radius = 2

    def __init__(self, scale: int, C: int = 64, G: int = 6, K: int = 9, d: int = 8, fusion: str = "group") -> None:
        super().__init__()
        self.scale = scale
        factors = (2, 2) if scale == 4 else (scale,)
        self.depth = 1 + G * (3 * K + (1 if fusion == "group" else K)) + len(factors) + 1
        self.radius = 1 + G * K + self.reconstruct_radius
        self.F_LFE = _conv(3, C, 3)
        self.groups = nn.Sequential(*(Group(C, K, d, fusion) for _ in range(G)))
        # Table 1: C -> C M M, shuffled to C
        stages = [stage for M in factors for stage in (_conv(C, C * M * M, 3), nn.PixelShuffle(M))]
        self.F_UP = nn.Sequential(*stages)
        self.reconstruction = _conv(C, 3, 3)

    def features(self, I_LR: torch.Tensor) -> torch.Tensor:
        """Y_DF, the features before the enlargement: `(N, 3, H, W)` to `(N, C, H, W)`."""
        Y_0 = self.F_LFE(I_LR)  # Eq. 1
        return Y_0 + self.groups(Y_0)  # Eqs. 2, 3 and 8

    def reconstruct(self, Y_DF: torch.Tensor) -> torch.Tensor:
        """I_SR from the features: `(N, C, H, W)` to `(N, 3, scale H, scale W)`."""
        return self.reconstruction(self.F_UP(Y_DF))  # Eqs. 4 and 5

    def forward(self, I_LR: torch.Tensor) -> torch.Tensor:
        """Map LR RGB `(N, 3, H, W)` in 0..1 to HR RGB `(N, 3, scale H, scale W)`."""
        return self.reconstruct(self.features(I_LR))


def drn_x2() -> DRN:
    """DRN at ×2."""
    return DRN(scale=2)


def drn_x3() -> DRN:
    """DRN at ×3."""
    return DRN(scale=3)


def drn_x4() -> DRN:
    """DRN at ×4."""
    return DRN(scale=4)


def drn_plus_x2() -> DRN:
    """DRN+, of 256 channels, at ×2."""
    return DRN(scale=2, C=256)


def drn_plus_x3() -> DRN:
    """DRN+, of 256 channels, at ×3."""
    return DRN(scale=3, C=256)


def drn_plus_x4() -> DRN:
    """DRN+, of 256 channels, at ×4."""
    return DRN(scale=4, C=256)


VARIANTS = {f"drn_x{scale}": {"scale": scale} for scale in (2, 3, 4)}
VARIANTS |= {f"drn_plus_x{scale}": {"scale": scale, "C": 256} for scale in (2, 3, 4)}
VARIANTS |= {"drn_plain_x3": {"scale": 3, "d": 0}}  # Table 2, "No RDBs"
