"""VDSR: J. Kim, J. K. Lee, K. M. Lee, "Accurate Image Super-Resolution Using Very Deep Convolutional Networks", CVPR 2016.

Twenty 3 x 3 convolutions predict what bicubic interpolation has lost: y = f(x) + x. It is the baseline of all four papers, and
its released weights are this project's learned witness: they must score what the papers print for VDSR.

Readings:

* VDSR itself needs none; the released weights fix the architecture.
* The VDSR of DRRN's Table 3, Table 4 and Figure 8 is DRRN's own, with batch normalisation "similar to DRRN". So `bn=True` puts
  normalisation and ReLU *before* every convolution, the first and the last included, and initialises with fan-in: it is then
  exactly DRRN with U = 0, as DRRN's Section 3.3 says (a test holds the two together). Table 4 and Figure 8 use 128 filters.

Parameters 9 (2n + (d - 2) n^2): 664,704 for d = 20 and n = 64; receptive field 2d + 1 = 41.
"""

from itertools import pairwise

import torch
from torch import nn

from srlib.models.base import SRModel


class VDSR(SRModel):
    """Plain residual network on the interpolated luma.

    Parameters
    ----------
    depth : int
        Number of convolutions d, 2 or more.
    width : int
        Filters n of every layer but the last.
    bn : bool
        DRRN's re-implementation: batch normalisation and ReLU before each convolution.
    """

    domain = "ilr"
    reconstruction = property(lambda self: self.convs[-1])  # its output is the residual image

    def __init__(self, depth: int = 20, width: int = 64, bn: bool = False) -> None:
        super().__init__()
        widths = [1] + [width] * (depth - 1) + [1]
        self.depth = self.radius = depth
        self.norms = nn.ModuleList(nn.BatchNorm2d(n, eps=1e-5, momentum=0.001) for n in widths[:-1]) if bn else None
        self.convs = nn.ModuleList(nn.Conv2d(n_in, n_out, 3, padding=1) for n_in, n_out in pairwise(widths))
        for conv in self.convs:
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map the interpolated luma `(N, 1, H, W)` in 0..1 to the high-resolution one, same shape and range."""
        h = x
        if self.norms:
            for norm, conv in zip(self.norms, self.convs, strict=True):
                h = conv(norm(h).relu_())
            return h + x
        for conv in self.convs[:-1]:
            h = conv(h).relu_()  # (N, 64, H, W)
        return self.reconstruction(h) + x


VARIANTS = {
    "vdsr": {},
    "vdsr_bn": {"bn": True},  # DRRN, Table 3
    # DRRN, Figure 8 and Table 4: as deep as B3U2, B3U3, B3U4
    "vdsr_bn_d16_w128": {"depth": 16, "width": 128, "bn": True},
    "vdsr_bn_d22_w128": {"depth": 22, "width": 128, "bn": True},
    "vdsr_bn_d28_w128": {"depth": 28, "width": 128, "bn": True},
}
