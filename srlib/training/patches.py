"""Training pairs: every patch of every image, drawn by index from full images that stay on the device.

A patch is never stored. A batch is one gather, and turning, mirroring and the choice of scale are arithmetic on the indices.
The patches of iteration t are a pure function of the seed and t, so resuming needs no sampler state.
"""

import hashlib
import json
import math
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, cycle, product
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from srlib.datasets import ImageSet
from srlib.errors import InputError
from srlib.images import imresize, rgb_to_luma, round_uint8, to_float
from srlib.matching import LR, match
from srlib.protocol import PROTOCOLS
from srlib.training.checkpoint import Tensors, load_tensors, save_tensors
from srlib.training.recipe import Recipe

CACHE_VERSION = 1  # of the prepared images on the disk: a new number makes them anew


@dataclass(frozen=True)
class PatchSource:
    """Images of one kind, end to end in one tensor, and the positions of all patches in them.

    Attributes
    ----------
    pixels : torch.Tensor
        `(pixels, channels)`, `uint8` in 0..255 or `float32` in about 0..1.
    start, width : torch.Tensor
        `int64`, `(patches,)`: index of each patch's first pixel, and its image's width.
    mirrored_rows, mirrored_columns : torch.Tensor
        `int64`, `(patches,)`: pixels down and to the right by which a patch moves if it is cut from the mirrored image, where
        the lattice starts from the other border.
    size : int
        Side of a patch in pixels.
    """

    pixels: torch.Tensor
    start: torch.Tensor
    width: torch.Tensor
    mirrored_rows: torch.Tensor
    mirrored_columns: torch.Tensor
    size: int

    def crop(self, patch_index: torch.Tensor, transform: torch.Tensor) -> torch.Tensor:
        """Patches by index, each under a symmetry of the square, numbered as in `recipe`; both arguments `int64`, `(count,)`.

        Returns
        -------
        torch.Tensor
            `(count, channels, size, size)`, `float32` in about 0..1.

        Notes
        -----
        The papers' scripts store mirrored and turned copies of each image and lay the lattice of patches over every copy from
        the copy's first pixel. So a patch of a mirrored copy lies elsewhere in the image than that patch of the image itself.
        """
        of_patches = (self.start, self.width, self.mirrored_rows, self.mirrored_columns)
        start, width, down, right = (x[patch_index, None, None] for x in of_patches)
        mirrors_rows, mirrors_columns, swaps = (transform[:, None, None] & bit > 0 for bit in (1, 2, 4))
        side = torch.arange(self.size, device=patch_index.device)
        row = torch.where(mirrors_rows, self.size - 1 - side[:, None], side[:, None])
        column = torch.where(mirrors_columns, self.size - 1 - side, side)
        # What are rows of the patch are columns of the image, if the two are exchanged.
        row, column = torch.where(swaps, column, row), torch.where(swaps, row, column)
        start = start + down * torch.where(swaps, mirrors_columns, mirrors_rows) * width
        start = start + right * torch.where(swaps, mirrors_rows, mirrors_columns)
        patches = self.pixels[start + row * width + column].permute(0, 3, 1, 2)
        return patches if patches.is_floating_point() else patches.float() / 255


@dataclass(frozen=True)
class Patches:
    """All training pairs of a set of images: the HR patches, and the network's inputs for each, by name (`'lr'`, `'ilr'`)."""

    hr: PatchSource
    inputs: dict[str, PatchSource]

    def __len__(self) -> int:
        return len(self.hr.start)


@dataclass(frozen=True)
class GivenLr:
    """LR images from elsewhere, in place of those that a protocol makes.

    Attributes
    ----------
    folder : str
        Where they lie.
    images : dict of ImageSet
        By scale: the LR image of each training image, in the order of the training images.
    sha256 : str
        Digest of all their files.
    """

    folder: str
    images: dict[int, ImageSet]
    sha256: str


def open_lr(folder: str | Path, images: ImageSet, scales: tuple[int, ...], pattern: str = "") -> GivenLr:
    """The LR images in a folder, one for each training image and scale.

    Parameters
    ----------
    folder : path
        Holds them; for several scales, the names of its files tell them apart.
    images : ImageSet
        The training images.
    scales : tuple of int
        Those of the recipe.
    pattern : str
        Of the names, as for `srlib.matching.match`.

    Raises
    ------
    InputError
        If an image has no LR image, or several; it names the first few.
    """
    matches = {scale: match(images.names, folder, scale, pattern, LR) for scale in scales}
    _refuse({f"{name} x{scale}": fault for scale, m in matches.items() for name, fault in m.faults.items()})
    unused = set.intersection(*(set(m.others) for m in matches.values()))
    if unused:
        names = _first(sorted(path.name for path in unused))
        print(f"srlib: {folder} has files of no training image, left out: {names}", file=sys.stderr)
    sets = {}
    for scale, m in matches.items():
        paths = tuple(m.files[name] for name in images.names)
        sets[scale] = ImageSet(str(folder), paths, ("",) * len(paths))
    digests = json.dumps([(scale, lr.digest()) for scale, lr in sets.items()])
    return GivenLr(str(folder), sets, hashlib.sha256(digests.encode()).hexdigest())


def _refuse(faults: dict[str, str]) -> None:
    """Refuse LR images that are missing or do not fit, by name, with the reason of the first."""
    if faults:
        names = sorted(faults)
        raise InputError(f"LR images are missing or do not fit ({_first(names)}): {faults[names[0]]}")


def _first(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


class Sampler:
    """The patches of each iteration and their transforms, in a new order for each pass over them.

    A rest smaller than a batch is left out. The order of a pass lies on the device, so drawing needs nothing from the host.

    Parameters
    ----------
    patches : Patches
        All training pairs.
    batch : int
        Pairs an iteration.
    transforms : tuple of int
        Symmetries of the square, drawn uniformly.
    seed : int
        Seed of the orders and transforms of all passes.
    cycle : int
        Number of ancestors of this training: each draws other orders.
    """

    def __init__(self, patches: Patches, batch: int, transforms: tuple[int, ...], seed: int, cycle: int = 0) -> None:
        device = patches.hr.pixels.device
        self.patches, self.batch, self.transforms, self.seed, self.cycle = patches, batch, transforms, seed, cycle
        self.repeats = math.ceil(batch / len(patches))  # of a set smaller than one batch
        self.iterations = self.repeats * len(patches) // batch  # a pass
        self.epoch = -1  # number of the pass whose order is on the device
        self.order, self.transform = torch.zeros(2, self.iterations * batch, dtype=torch.int64, device=device)
        self.offsets = torch.arange(batch, device=device)

    def seek(self, iteration: int) -> None:
        """Bring the order of the pass that holds an iteration to the device, unless it is there."""
        epoch = iteration // self.iterations
        if epoch == self.epoch:
            return
        # torch's CPU generator keeps 32 bits of its seed, so the numbers are hashed, not shifted together.
        hashed = np.random.SeedSequence((self.seed, epoch, self.cycle)).generate_state(1)[0]
        generator, count = torch.Generator().manual_seed(int(hashed)), len(self.order)
        order = torch.cat([torch.randperm(len(self.patches), generator=generator) for _ in range(self.repeats)])
        self.order.copy_(order[:count])
        self.transform.copy_(torch.tensor(self.transforms)[torch.randint(len(self.transforms), (count,), generator=generator)])
        self.epoch = epoch

    def draw(self, iteration: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """The pairs of an iteration (a tensor on the device, of the pass that `seek` brought): inputs by name, and HR."""
        indices = iteration % self.iterations * self.batch + self.offsets
        patch_index, transform = self.order[indices], self.transform[indices]
        inputs = {name: source.crop(patch_index, transform) for name, source in self.patches.inputs.items()}
        return inputs, self.patches.hr.crop(patch_index, transform)


def make_patches(
    images: Iterable[tuple[str, np.ndarray]],
    recipe: Recipe,
    domain: str = "ilr",
    colour: str = "luma",
    degradation: str = "drrn",
    device: str = "cpu",
    lr: GivenLr | None = None,
) -> Patches:
    """All patches of modcropped and resized images, as the papers cut them, of all scales.

    Parameters
    ----------
    images : iterable of (name, image)
        `uint8`, grey or RGB. Prepared images of an `ImageSet` are kept on the disk, in `SRLIB_CACHE` or
        `~/.cache/srlib/prepared`.
    recipe : Recipe
        Its scales, sizes, patch and stride are used.
    domain, colour : str
        Domain and colour of the network's input, as in `srlib.models`.
    degradation : str
        Name of the protocol that makes LR and ILR.
    device : str
        Device of the pixels.
    lr : GivenLr, optional
        LR images in place of those that the protocol makes, for a recipe without resized copies.

    Raises
    ------
    InputError
        If no image is large enough for a patch (smaller ones are left out, with a message), or an LR image does not fit.

    Notes
    -----
    `len(recipe.transforms) * len(patches)` is the papers' count of pairs, as they store every turned and mirrored copy.
    """
    kinds = domain.split("+")
    if "lr" in kinds and (len(recipe.scales) > 1 or recipe.patch % recipe.scales[0] or recipe.stride % recipe.scales[0]):
        raise InputError(f"A network at low resolution wants one scale that divides its patch and stride, but got {recipe}.")
    tensors = prepare(images, recipe, kinds, colour, degradation, lr)
    shapes = tensors["shapes"].tolist()
    small = [k for k, (height, width, _) in enumerate(shapes) if min(height, width) < recipe.patch]
    if len(small) == len(shapes):
        raise InputError(f"No training image is as large as one patch of {recipe.patch} pixels: give larger ones.")
    if small:
        copies = len(recipe.sizes) * len(recipe.scales)
        what = "images" if copies == 1 else "images and their copies"
        text = f"{len(small)} of {len(shapes)} {what} are smaller than a patch of {recipe.patch}: left out"
        if isinstance(images, ImageSet):
            text += f" ({_first(list(dict.fromkeys(images.paths[k // copies].name for k in small)))})"
        print(f"srlib: {text}", file=sys.stderr)
    sources = {}
    for kind in ("hr", *kinds):
        zoom = recipe.scales[0] if kind == "lr" else 1
        lattice, offset = [], 0  # of each image: start, width, mirrored rows and mirrored columns of its patches
        for height, width, _ in shapes:
            row, column = (np.arange(0, n - recipe.patch + 1, recipe.stride) for n in (height, width))
            row = row[:, None]
            start = offset + row // zoom * (width // zoom) + column // zoom
            down, right = (height - recipe.patch - 2 * row) // zoom, (width - recipe.patch - 2 * column) // zoom
            lattice.append(np.stack([x.ravel() for x in np.broadcast_arrays(start, width // zoom, down, right)]))
            offset += (height // zoom) * (width // zoom)
        positions = torch.from_numpy(np.concatenate(lattice, axis=1)).to(device)
        sources[kind] = PatchSource(tensors[kind].to(device), *positions, recipe.patch // zoom)
    return Patches(sources.pop("hr"), sources)


def prepare(
    images: Iterable[tuple[str, np.ndarray]],
    recipe: Recipe,
    kinds: list[str],
    colour: str,
    degradation: str,
    lr: GivenLr | None = None,
) -> Tensors:
    """Full images for training: `hr` and the `kinds`, `(pixels, channels)`, and `shapes`, rows of (height, width, scale)."""
    cache, channels = None, 1 if colour == "luma" else 3
    if isinstance(images, ImageSet):
        key = [CACHE_VERSION, images.digest(), kinds, colour, degradation, recipe.scales, recipe.sizes]
        key = json.dumps(key if lr is None else [*key, lr.sha256])
        folder = Path(os.environ.get("SRLIB_CACHE") or "~/.cache/srlib/prepared").expanduser()
        cache = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.safetensors"
        if cache.exists():
            try:
                return load_tensors(cache)[0]
            except InputError as error:
                print(f"srlib: {error} It is made anew.", file=sys.stderr)

    faults = {}

    def pairs_of(item: tuple[int, tuple[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        index, (name, whole) = item
        resized, pairs = [whole if size == 1 else imresize(whole, size) for size in recipe.sizes], []
        for image, scale in product(resized, recipe.scales):
            if min(image.shape[:2]) < scale:  # nothing is left of it, so no patch
                pairs.append(dict.fromkeys(("hr", *kinds), np.zeros((0, 0), np.uint8)))
                continue
            given = None
            if lr is not None:
                try:
                    given = PROTOCOLS[degradation].take_lr(lr.images[scale].read(index), image, scale)
                except InputError as error:
                    path = str(lr.images[scale].paths[index])
                    faults[f"{name} x{scale}"] = str(error) if path in str(error) else f"{path}: {error}"
            pairs.append(_pair(image, scale, kinds, colour, degradation, given))
        return pairs

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        total = len(images) if hasattr(images, "__len__") else None
        results = pool.map(pairs_of, enumerate(images))
        bar = tqdm(results, desc="resizing training images", total=total, leave=False, disable=None)
        pairs = list(chain.from_iterable(bar))
    _refuse(faults)
    if not pairs:
        raise InputError("There is no training image: give a folder that holds some.")
    tensors = {
        kind: torch.from_numpy(np.concatenate([pair[kind].reshape(-1, channels) for pair in pairs])) for kind in ("hr", *kinds)
    }
    tensors["shapes"] = torch.tensor([(*pair["hr"].shape[:2], scale) for pair, scale in zip(pairs, cycle(recipe.scales))])
    if cache is not None:
        try:
            save_tensors(cache, tensors, {})
        except InputError as error:  # a home that is read-only, or full: they are made anew the next time
            print(f"srlib: the prepared images are not kept: {error}", file=sys.stderr)
    return tensors


def _pair(
    image: np.ndarray, scale: int, kinds: list[str], colour: str, degradation: str, lr: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """HR, and LR or ILR, of one image at one scale: HR in 8 bits; LR and ILR of the protocol, never rounded further."""
    protocol = PROTOCOLS[degradation]
    lr = protocol.degrade(image, scale) if lr is None else lr
    pair = {"hr": protocol.reference(image, scale)}
    pair |= {kind: lr if kind == "lr" else protocol.interpolate(lr, scale) for kind in kinds}
    if colour == "luma" and protocol.colour == "rgb":  # the luma of an RGB image, for a luma network
        pair = {kind: rgb_to_luma(x if x.dtype == np.uint8 else 255 * x) for kind, x in pair.items()}
        pair = {kind: round_uint8(x) if kind == "hr" else x / 255 for kind, x in pair.items()}
    return {kind: x if x.dtype == np.uint8 else to_float(x).astype(np.float32) for kind, x in pair.items()}
