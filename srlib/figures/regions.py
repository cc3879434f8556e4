"""The rectangles that the visual figures show, and the images that they are cut from.

The papers' own rectangles are in their images only, so these are ours, placed by what captions and text say.
"""

from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from srlib.datasets import is_available, open_images
from srlib.errors import InputError
from srlib.inference.tiling import Window, context_window, scaled, within


@dataclass(frozen=True)
class Region:
    """A rectangle of a test image, in HR pixels, chosen by us for the reason `why`.

    `inner` is the rectangle before `grow_to_square` made it wider: its top, left, height and width inside the wider one.
    """

    image: str
    dataset: str
    scale: int
    top: int
    left: int
    height: int
    width: int
    why: str
    inner: tuple[int, int, int, int] | None = None

    @property
    def window(self) -> Window:
        """Rows and columns of the HR image."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


REGIONS: dict[str, tuple[Region, ...]] = {
    "drrn": (  # Figure 7
        Region("img_059", "Urban100", 3, 225, 540, 60, 60, "the caption speaks of sharp lines: those of the facade"),
        Region("253027", "BSD100", 3, 70, 185, 60, 60, "the caption speaks of the pattern: stripes of the nearest head"),
        Region("ppt3", "Set14", 4, 240, 32, 45, 90, "the caption speaks of texts: lines of the small print"),
    ),
    "dsrn": (  # Figure 4
        Region("ppt3", "Set14", 3, 606, 30, 45, 90, "the caption speaks of sharp text: the author's name"),
        Region("comic", "Set14", 3, 205, 90, 60, 60, "the caption names only the image: its finest drawing, the necklace"),
        Region("monarch", "Set14", 3, 330, 440, 60, 60, "the caption speaks of dots along the edge of the wing"),
        Region("baboon", "Set14", 3, 370, 320, 60, 60, "the caption names only the image: its finest hairs"),
    ),
    "rlcsc": (  # Figures 4, 5, 6
        Region("8023", "BSD100", 4, 138, 182, 60, 60, "the caption speaks of the direction of the stripes on the feathers"),
        Region("ppt3", "Set14", 3, 313, 34, 45, 90, "the caption speaks of character edges: lines of the small print"),
        Region("img_076", "Urban100", 4, 140, 955, 60, 60, "the caption speaks of details: lettering above lit windows"),
    ),
    "drn": (  # Figures 1, 6, 7, 8
        Region("img_074", "Urban100", 4, 310, 130, 60, 60, "the text speaks of texture on the windows"),
        Region("img_027", "Urban100", 3, 385, 545, 60, 60, "the text speaks of lines: the slats of a blind"),
        Region("ppt3", "Set14", 4, 138, 85, 45, 75, "the text speaks of the word 'with'"),
        Region("img_059", "Urban100", 4, 230, 200, 60, 60, "the text speaks of the lines of windows"),
    ),
}
# Photographs that stand in where a dataset is not at hand, in the order of a page's figures.
STAND_INS = (
    ("chelsea", 90, 140, "an eye"),
    ("astronaut", 335, 265, "straps and a badge"),
    ("coffee", 235, 250, "a spoon"),
    ("rocket", 120, 290, "the top of the rocket"),
)


def find(region: Region) -> tuple[np.ndarray, Region]:
    """The HR image of a region, `(H, W)` or `(H, W, 3)` `uint8`, and the region; if its dataset is not at hand, a stand-in's.

    Raises
    ------
    InputError
        If the dataset has no image of that name.
    """
    if not is_available(region.dataset):
        index = next((group.index(region) for group in REGIONS.values() if region in group), 0)
        image, top, left, why = STAND_INS[index % len(STAND_INS)]
        region = replace(region, image=image, dataset="Sample", top=top, left=left, why=f"it shows {why}")
    images = open_images(region.dataset)
    names = [images.name_of(k) for k in range(len(images))]
    if region.image not in names:
        raise InputError(f"{region.dataset} has no image {region.image!r}: choose one of {', '.join(names)}.")
    return images.read(names.index(region.image)), region


def grow_to_square(region: Region, side: int) -> Region:
    """The square of `side` HR pixels around a region or its stand-in, for the viewer; the region becomes its `inner`.

    The square is moved to lie inside the image; it is smaller where the image is smaller, and never smaller than the region.
    """
    image, region = find(region)
    sizes = [size - size % region.scale for size in image.shape[:2]]
    height, width = (min(max(side, n), size) for n, size in zip((region.height, region.width), sizes, strict=True))
    top = max(0, min(region.top + (region.height - height) // 2, sizes[0] - height))
    left = max(0, min(region.left + (region.width - width) // 2, sizes[1] - width))
    inner = region.top - top, region.left - left, region.height, region.width
    return replace(region, top=top, left=left, height=height, width=width, inner=inner)


def model_windows(
    window: Window, size: tuple[int, int], model: nn.Module | None, scale: int, margin: int = 0
) -> tuple[Window, Window, Window]:
    """The LR and ILR windows that a network needs for its exact output inside a window of the interpolated image (ILR).

    Parameters
    ----------
    window : (slice, slice)
        Rows and columns of the ILR image.
    size : (int, int)
        Height and width of the LR image.
    model : torch.nn.Module, optional
        One of `srlib.models`, for its `domain` and `radius`; `None` for bicubic interpolation, of radius 0.
    margin : int
        LR pixels beyond the radius.

    Returns
    -------
    tuple of (slice, slice)
        The window of the LR image; the same window of the ILR image; and `window` as it lies inside the latter.
    """
    radius = 0 if model is None else -(-model.radius // scale) if model.domain == "ilr" else model.radius  # in LR pixels
    rows, columns = (slice(s.start // scale, -(-s.stop // scale)) for s in window)
    lr = context_window((rows, columns), radius + margin, size)
    ilr = scaled(lr, scale)
    return lr, ilr, within(window, ilr)
