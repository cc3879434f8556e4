"""SRCNN: C. Dong, C. C. Loy, K. He, X. Tang, "Learning a Deep Convolutional Network for Image Super-Resolution", ECCV 2014.

The first network for super-resolution, three convolutions on the interpolated luma: patches are extracted and represented by
n_1 filters of f_1 x f_1, mapped to n_2 others by 1 x 1, and reconstructed by f_3 x f_3. All four papers compare with it.

Readings:

* 9-1-5 with n_1 = 64 and n_2 = 32, the network of the released weights; later papers of its authors widen the middle.
* Training is on valid convolutions; a whole image keeps its size because every layer repeats the border, as the released test
  code does. So here, too, and in training as well.
* Weights are drawn from N(0, 0.001^2), biases start at zero.

Parameters f_1^2 n_1 + n_1 n_2 + f_3^2 n_2 = 8,032; depth 3; receptive field 13 x 13 (DRRN, Section 2.2).
"""

import torch
from torch import nn


class SRCNN(nn.Module):
    """Three convolutions, no residual.

    Parameters
    ----------
    f_1, f_2, f_3 : int
        Odd filter sizes of the three layers.
    n_1, n_2 : int
        Filters of the first two layers.
    """

    domain = "ilr"
    colour = "luma"
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
