"""SRCNN: C. Dong, C. C. Loy, K. He, X. Tang, "Learning a Deep Convolutional Network for Image Super-Resolution", ECCV 2014,
and "Image Super-Resolution Using Deep Convolutional Networks", IEEE TPAMI 38(2), 2016.

The first network for super-resolution, three convolutions on the interpolated luma: patches are extracted and represented by
n_1 filters of f_1 x f_1, mapped to n_2 others by f_2 x f_2, and reconstructed by f_3 x f_3. Two versions, with n_1 = 64 and
n_2 = 32 in both:

* `srcnn_955` is the article's, trained on ImageNet. The scores that DRRN, DSRN and RL-CSC quote are its: on Set5 at x2, x3, x4
  36.66, 32.75 and 30.48 dB (in DSRN 36.65, 32.76, 30.49). DRRN and RL-CSC cite the article.
* `srcnn_915` is the first paper's, with 32.39 dB on Set5 at x3 from 91 images. DSRN and DRN cite that paper; none of the four
  prints a score of it, but DRRN (Section 2.2) its receptive field of 13 x 13.

Readings:

* Training is on valid convolutions; a whole image keeps its size because every layer repeats the border, as the released test
  code does. So here, too, and in training as well.
* Weights are drawn from N(0, 0.001^2), biases start at zero.

Weights f_1^2 n_1 + f_2^2 n_1 n_2 + f_3^2 n_2: 57,184 and 8,032; receptive field f_1 + f_2 + f_3 - 2: 17 and 13; depth 3.
"""

import torch
from torch import nn

from srlib.models.base import SRModel


class SRCNN(SRModel):
    """Three convolutions, no residual.

    Parameters
    ----------
    f_1, f_2, f_3 : int
        Odd filter sizes of the three layers.
    n_1, n_2 : int
        Filters of the first two layers.
    """

    domain = "ilr"
    depth = 3

    def __init__(self, f_1: int = 9, f_2: int = 1, f_3: int = 5, n_1: int = 64, n_2: int = 32) -> None:
        super().__init__()
        self.radius = f_1 // 2 + f_2 // 2 + f_3 // 2
        self.extraction = nn.Conv2d(1, n_1, f_1, padding=f_1 // 2, padding_mode="replicate")
        self.mapping = nn.Conv2d(n_1, n_2, f_2, padding=f_2 // 2, padding_mode="replicate")
        self.reconstruction = nn.Conv2d(n_2, 1, f_3, padding=f_3 // 2, padding_mode="replicate")
        for conv in (self.extraction, self.mapping, self.reconstruction):
            nn.init.normal_(conv.weight, std=0.001)
            nn.init.zeros_(conv.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map the interpolated luma `(N, 1, H, W)` in 0..1 to the high-resolution one, same shape and range."""
        h = self.extraction(x).relu_()  # F_1(Y) = max(0, W_1 * Y + B_1), (N, 64, H, W)
        h = self.mapping(h).relu_()  # F_2(Y) = max(0, W_2 * F_1(Y) + B_2), (N, 32, H, W)
        return self.reconstruction(h)  # F(Y) = W_3 * F_2(Y) + B_3


VARIANTS = {"srcnn_955": {"f_2": 5}, "srcnn_915": {"f_2": 1}}
