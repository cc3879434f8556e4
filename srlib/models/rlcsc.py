"""RL-CSC: M. Zhang, Z. Liu, L. Yu, "Image Super-Resolution via RL-CSC: When Residual Learning Meets Convolutional Sparse
Coding", arXiv 1812.11950, 2018.

Sparse coding, unrolled: features y of the interpolated image are coded by K iterations of a convolutional LISTA, and the sparse
maps z are turned into the residual image. One convolution S carries the recursion, and W_1 y enters every iteration of it,
which is DRRN's multi-path structure derived instead of designed (`sparse_coding.py` follows the derivation).

Readings:

* z_0 = ReLU(W_1 y), then K recursions: only then does S act K times, as d = K + 5 (Eq. 13) wants. With z_0 = 0 the
  first would be idle.
* No biases: 1,329k and 592k parameters are printed, with biases they would be 1,330k and 593k. (Or they were left out of the
  count, as DRRN does; but the text names none.) So theta of Eq. 9 is zero.
* ReLU(W_2 z) of Eq. 11 acts on W_2's output; z itself is never negative.
* W_2 maps m maps to n: 128 x 256 in the paper's own order of out x in. Section 5.2 prints it the other way round.
* "Variance 2 / n_out" is He's initialisation with fan-out, n_out = 9 x output maps.
* "Without residual" (Table 3) drops Eq. 12: I_x = R.

Parameters 9 (2n + n^2 + 2 m n + m^2): 1,329,408 for n = 128 and m = 256; depth K + 5; receptive field 2 (K + 5) + 1.
"""

import torch
from torch import nn

from srlib.models.base import SRModel


def _conv(channels_in: int, channels_out: int) -> nn.Conv2d:
    conv = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv


class RLCSC(SRModel):
    """Convolutional LISTA on features of the interpolated luma.

    Parameters
    ----------
    K : int
        Recursions, 1 or more.
    n : int
        Filters of the feature maps y.
    m : int
        Filters of the sparse maps z.
    residual : bool
        Whether the input is added to the output (Eq. 12).
    """

    domain = "ilr"
    reconstruction = property(lambda self: self.H)  # its output is the residual image

    def __init__(self, K: int = 25, n: int = 128, m: int = 256, residual: bool = True) -> None:
        super().__init__()
        self.K, self.residual = K, residual
        self.depth = self.radius = K + 5  # Eq. 13
        self.F0, self.F1 = _conv(1, n), _conv(n, n)
        self.W1, self.S = _conv(n, m), _conv(m, m)
        self.W2, self.H = _conv(m, n), _conv(n, 1)

    def forward(self, I_y: torch.Tensor) -> torch.Tensor:
        """Map the interpolated luma `(N, 1, H, W)` in 0..1 to the high-resolution one, same shape and range."""
        y = self.F1(self.F0(I_y).relu_()).relu_()  # Eq. 8: (N, n, H, W)
        w1_y = self.W1(y)  # (N, m, H, W)
        z = self.recursion(w1_y.relu(), w1_y, self.K)
        R = self.H(self.W2(z).relu_())  # Eq. 11
        return I_y + R if self.residual else R  # Eq. 12

    def recursion(self, z: torch.Tensor, w1_y: torch.Tensor, times: int) -> torch.Tensor:
        """z after a number of recursions z_{k+1} = ReLU(W_1 y + S z_k) (Eqs. 9 and 10, theta = 0), all `(N, m, H, W)`."""
        for _ in range(times):
            z = self.S(z).add_(w1_y).relu_()
        return z


def rlcsc_k25() -> RLCSC:
    """RL-CSC with 25 recursions: 30 layers (Table 1)."""
    return RLCSC(K=25)


def rlcsc_k48() -> RLCSC:
    """RL-CSC with 48 recursions: 53 layers (Figure 7)."""
    return RLCSC(K=48)


VARIANTS = {f"rlcsc_k{K}": {"K": K} for K in (15, 20, 25, 48)} | {  # Figure 7; K = 25 is the paper's model
    "rlcsc_k15_m128": {"K": 15, "m": 128},  # Figure 8: 592k parameters
    "rlcsc_k25_no_residual": {"K": 25, "residual": False},  # Table 3
}
