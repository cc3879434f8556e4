"""What every network here declares of itself."""

from typing import ClassVar

import torch
from torch import nn


class SRModel(nn.Module):
    """A network for super-resolution: from float images `(N, C, H, W)` in 0..1 to the enlarged ones.

    Attributes
    ----------
    domain : {'ilr', 'lr', 'lr+ilr'}
        What it takes: the interpolated image, which has the size of HR; the LR image; or both, in this order.
    colour : {'luma', 'rgb'}
        Of input and output.
    scale : int or None
        The only one it knows; `None` if any will do.
    depth : int
        Convolutions on the longest path, as the papers count.
    radius : int
        How far, in pixels of its (first) input, one input pixel is felt: the receptive field is `2 radius + 1`.
    reconstruction : nn.Module
        The last convolution, which makes the image or its residual.
    """

    domain: ClassVar[str]
    colour: ClassVar[str] = "luma"
    scale: int | None = None
    depth: int
    radius: int

    @property
    def channels(self) -> int:
        """Channels of input and output: 1 for luma, 3 for RGB."""
        return 3 if self.colour == "rgb" else 1

    def predict(self, lr: torch.Tensor | None, ilr: torch.Tensor | None) -> torch.Tensor:
        """The enlarged images, from that of the two which the domain names, or from both; the other may be `None`."""
        images = {"lr": lr, "ilr": ilr}
        return self(*(images[name] for name in self.domain.split("+")))
