"""The base class of all networks, and the attributes that each network declares."""

from typing import ClassVar

import torch
from torch import nn


class SRModel(nn.Module):
    """A network for super-resolution: from float images `(N, C, H, W)` in 0..1 to enlarged images.

    Attributes
    ----------
    domain : {'ilr', 'lr', 'lr+ilr'}
        Input: the interpolated image, which has the size of HR; the LR image; or both, in this order.
    colour : {'luma', 'rgb'}
        Colour of input and output.
    scale : int or None
        The one scale of the network; `None` if it takes any.
    depth : int
        Number of convolutions on the longest path, as the papers count.
    radius : int
        Radius of the receptive field in pixels of the (first) input: the receptive field is `2 radius + 1`.
    reconstruct_radius : int or None
        Of a network in two parts, `features` and `reconstruct`: radius of the second, in pixels of the input; else `None`.
    reconstruction : nn.Module
        The last convolution, which makes the image or its residual.
    """

    domain: ClassVar[str]
    colour: ClassVar[str] = "luma"
    scale: int | None = None
    depth: int
    radius: int
    reconstruct_radius: int | None = None

    @property
    def channels(self) -> int:
        """Number of channels of input and output: 1 for luma, 3 for RGB."""
        return 3 if self.colour == "rgb" else 1

    def predict(self, lr: torch.Tensor | None, ilr: torch.Tensor | None) -> torch.Tensor:
        """The enlarged images from LR images, ILR images or both, as the domain says; the unused ones may be `None`."""
        images = {"lr": lr, "ilr": ilr}
        return self(*(images[name] for name in self.domain.split("+")))
