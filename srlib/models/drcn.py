"""DRCN: J. Kim, J. K. Lee, K. M. Lee, "Deeply-Recursive Convolutional Network for Image Super-Resolution", CVPR 2016.

One convolution is applied T = 16 times in a chain. Every intermediate state is reconstructed and supervised, and the output is
a learned weighted average of the sixteen predictions. DRRN (Section 2.3, Eq. 2) and DSRN (Section 3) both start from it; the
symbols here are DRRN's.

Readings, where the four papers are silent and DRCN's own text speaks:

* Embedding f_1 and reconstruction f_Rec have two convolutions each (hence 20 layers and a receptive field of 41); 256 filters.
* The skip connection adds the input to each prediction.
* The recursive convolution starts as the identity (zero weights but for each channel's link to itself); the others as He's.
* Ensemble weights start equal, sum to one at the start only, and are free afterwards.

Parameters 9 (2n + 3 n^2) = 1,774,080 for n = 256, "6x" those of DRRN_B1U9; depth T + 4 = 20.
"""

import torch
from torch import nn

from srlib.models.base import SRModel


def _conv(channels_in: int, channels_out: int) -> nn.Conv2d:
    conv = nn.Conv2d(channels_in, channels_out, 3, padding=1)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    nn.init.zeros_(conv.bias)
    return conv


class DRCN(SRModel):
    """Deeply-recursive network on the interpolated luma.

    Parameters
    ----------
    T : int
        Recursions, 1 or more.
    width : int
        Filters of every convolution.
    """

    domain = "ilr"

    def __init__(self, T: int = 16, width: int = 256) -> None:
        super().__init__()
        self.T = T
        self.depth = self.radius = T + 4
        self.embedding_1, self.embedding_2 = _conv(1, width), _conv(width, width)  # f_1
        self.recursion = _conv(width, width)  # f_2, applied T times
        nn.init.dirac_(self.recursion.weight)
        self.reconstruction_1, self.reconstruction = _conv(width, width), _conv(width, 1)  # f_Rec
        self.w = nn.Parameter(torch.full((T,), 1 / T))

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """H_0 = f_1(x): `(N, 1, H, W)` to `(N, width, H, W)`."""
        return self.embedding_2(self.embedding_1(x).relu_()).relu_()

    def reconstruct(self, h: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Eq. 2 of DRRN: y_t = f_Rec(H_t) + x."""
        return self.reconstruction(self.reconstruction_1(h).relu_()) + x

    def predictions(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The T predictions y_1 .. y_T, each `(N, 1, H, W)`, which recursive supervision trains."""
        h, ys = self.embed(x), []
        for _ in range(self.T):
            h = self.recursion(h).relu_()  # H_t = f_2(H_{t-1})
            ys.append(self.reconstruct(h, x))
        return ys

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map the interpolated luma `(N, 1, H, W)` in 0..1 to y = sum_t w_t y_t, same shape and range."""
        return sum(w * y for w, y in zip(self.w, self.predictions(x), strict=True))
