"""Training pairs: every patch of every image, drawn by index from whole images that stay in memory.

A patch is never stored. Images lie end to end in one flat tensor; a batch is one gather, and rotation, flipping and the choice
of scale are arithmetic on the indices. Which patches make up iteration t is a pure function of the seed and t, so resuming
needs no sampler state.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from srlib.errors import InputError
from srlib.images import to_float
from srlib.protocol import PROTOCOLS

DIHEDRAL = 8  # four rotations, each flipped or not


@dataclass(frozen=True)
class Patches:
    """All training patches of a set of images.

    Attributes
    ----------
    hr : torch.Tensor
        `uint8` luma of all images and scales, end to end, `(pixels,)`.
    ilr : torch.Tensor
        `float32` interpolated luma in about 0..1, laid out alike.
    start, width : torch.Tensor
        `int64`, `(patches,)`: index of each patch's first pixel, and its image's width.
    size : int
        Side of a patch in pixels.
    """

    hr: torch.Tensor
    ilr: torch.Tensor
    start: torch.Tensor
    width: torch.Tensor
    size: int

    def __len__(self) -> int:
        return len(self.start)

    def batch(self, iteration: int, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The pairs of one iteration: `(ilr, hr)`, each `(count, 1, size, size)`, `float32` in about 0..1.

        Patches are shuffled anew for each pass over them; each is turned or mirrored at random.
        """
        position = torch.arange(iteration * count, (iteration + 1) * count)
        passes = position // len(self)
        which = torch.empty_like(position)
        for k in passes.unique().tolist():
            order = torch.randperm(len(self), generator=_generator(seed, 2 * k))
            which[passes == k] = order[position[passes == k] % len(self)]
        turn = torch.randint(DIHEDRAL, (count,), generator=_generator(seed, 2 * iteration + 1))
        index = self._index(which, turn).to(self.hr.device)
        return self.ilr[index][:, None], self.hr[index][:, None].float() / 255

    def _index(self, which: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
        """Flat indices `(count, size, size)` of the chosen patches under the chosen symmetries of the square."""
        turn, start, width = (x.cpu()[:, None, None] for x in (turn, self.start[which], self.width[which]))
        side = torch.arange(self.size)
        row, column = side[None, :, None], side[None, None, :]
        row = torch.where(turn & 1 > 0, self.size - 1 - row, row)
        column = torch.where(turn & 2 > 0, self.size - 1 - column, column)
        row, column = torch.where(turn & 4 > 0, column, row), torch.where(turn & 4 > 0, row, column)
        return start + row * width + column


def _generator(seed: int, stream: int) -> torch.Generator:
    # torch's CPU generator keeps 32 bits of its seed, so the two numbers are hashed, not shifted together.
    return torch.Generator().manual_seed(int(np.random.SeedSequence([seed, stream]).generate_state(1)[0]))


def make_patches(
    images: Iterable[tuple[str, np.ndarray]], scales: tuple[int, ...], size: int, stride: int, device: str = "cpu"
) -> Patches:
    """Cut patches from whole, modcropped and interpolated images, as the papers do, all scales mixed.

    Parameters
    ----------
    images : iterable of (name, image)
        `uint8`, grey or RGB; an `ImageSet` for instance.
    scales : tuple of int
        Each image enters once per scale.
    size, stride : int
        Of the patches, in HR pixels.
    device : str
        Where the pixels are kept.

    Notes
    -----
    Degradation is the `drrn` protocol's: MATLAB's bicubic on luma, not rounded. The papers' counts are `8 * len(patches)`, as
    they store the eight turned and mirrored copies.
    """
    protocol = PROTOCOLS["drrn"]
    hr, ilr, start, width, offset = [], [], [], [], 0
    for name, image in tqdm(images, desc="interpolating training images", leave=False, disable=None):
        for scale in scales:
            luma = protocol.reference(image, scale)
            rows, columns = (np.arange(0, n - size + 1, stride) for n in luma.shape)
            if not (len(rows) and len(columns)):
                raise InputError(f"Training image {name} ({luma.shape}) is smaller than one patch of {size}: leave it out.")
            hr.append(luma.ravel())
            ilr.append(protocol.interpolate(protocol.degrade(image, scale), scale).astype(np.float32).ravel())
            start.append((offset + rows[:, None] * luma.shape[1] + columns).ravel())
            width.append(np.full(start[-1].size, luma.shape[1]))
            offset += luma.size
    if not hr:
        raise InputError("There is no training image: give a folder that holds some.")
    assert np.allclose(to_float(hr[0]).mean(), ilr[0].mean(), atol=0.05)  # both in 0..1 and of the same image
    pixels = (torch.from_numpy(np.concatenate(x)).to(device) for x in (hr, ilr))
    return Patches(*pixels, *(torch.from_numpy(np.concatenate(x)) for x in (start, width)), size=size)
