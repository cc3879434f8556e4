"""The golden checks: whether this machine computes the numbers of MATLAB and of the papers.

Each check names its witness. A check without its data or its witness is reported as skipped; none passes by default.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from srlib.datasets import is_available, open_images
from srlib.images import imresize, modcrop, read_image
from srlib.inference.enlarge import as_method
from srlib.models import VDSR
from srlib.papers import PAPERS, TOLERANCES, claims
from srlib.protocol import PROTOCOLS, SCALES, score_images
from srlib.records.record import damaged_records, find_records
from srlib.training.checkpoint import load_weights


@dataclass(frozen=True)
class Check:
    """One line of the report; `passed` is `None` where the check was skipped."""

    name: str
    passed: bool | None
    detail: str


def verify(
    sets: tuple[str, ...] = ("Set5", "Set14"), reference: Path | None = None, vdsr_weights: Path | None = None
) -> Iterator[Check]:
    """The results of all checks, one after the other.

    Parameters
    ----------
    sets : tuple of str
        Test sets to score; all four take minutes.
    reference : path, optional
        Folder of the MATLAB witnesses: `bicubic_matlab_set5_set14.json` and `matlab_lr/<set>/x<scale>/<image>.png`.
    vdsr_weights : path, optional
        VDSR's released weights as `.npz`.

    Yields
    ------
    Check
        One line of the report.
    """
    for name in sets:
        if not is_available(name):
            yield Check(f"{name}: everything", None, f"not at hand; run: python -m srlib fetch {name}")
            continue
        yield from _matlab(name, reference)
        yield from _published_bicubic(name)
        yield from _published_vdsr(name, vdsr_weights)
    faults = "; ".join(damaged_records().values())
    yield Check("committed records are whole", not faults, faults or f"{len(find_records())} records")


def _matlab(name: str, reference: Path | None) -> Iterator[Check]:
    if name not in ("Set5", "Set14"):
        return
    if reference is None or not (witness := reference / "bicubic_matlab_set5_set14.json").exists():
        yield Check(f"{name}: MATLAB's own images and scores", None, "no witness; set SRLIB_REFERENCE to their folder")
        return
    scores = json.loads(witness.read_text())
    images = open_images(name)
    unequal = total = 0
    error = 0.0
    for scale in SCALES:
        theirs = scores[name][f"x{scale}"]
        for image_name, image in images:
            lr = imresize(modcrop(image, scale), 1 / scale, "replicate")
            matlab = read_image(reference / "matlab_lr" / name / f"x{scale}" / f"{image_name}.png")
            unequal, total = unequal + int((lr != matlab).sum()), total + lr.size
        ours = score_images(images, scale, PROTOCOLS["selfexsr"], progress=False)
        if list(ours.image) != theirs["images"]:
            yield Check(f"{name} x{scale}: MATLAB's scores", False, "the witness lists other images")
            return
        error = max(error, *(float(np.abs(ours[metric] - theirs[metric]).max()) for metric in TOLERANCES))
    yield Check(f"{name}: LR images equal MATLAB's bit for bit", unequal == 0, f"{total - unequal} of {total} samples equal")
    # The witness is printed to six decimals.
    yield Check(f"{name}: PSNR, SSIM, IFC equal MATLAB's per image", error < 5.1e-7, f"largest difference {error:.1e}")


def _published_bicubic(name: str) -> Iterator[Check]:
    cells = [c for paper in PAPERS for c in claims(paper) if c.experiment == "bicubic" and c.dataset == name and c.protocol]
    ours = {
        (protocol, scale): score_images(open_images(name), scale, PROTOCOLS[protocol], progress=False)
        for protocol, scale in sorted({(c.protocol, c.scale) for c in cells})
    }
    unequal = [c for c in cells if not c.printed_alike(ours[c.protocol, c.scale][c.metric].mean())]
    noted = [c.id for c in unequal if c.note]
    missed = [c.id for c in unequal if not c.note]
    detail = f"{len(cells) - len(unequal)} of {len(cells)} cells"
    detail += f"; known exceptions: {', '.join(noted)}" if noted else ""
    detail += f"; NOT reproduced: {', '.join(missed)}" if missed else ""
    yield Check(f"{name}: bicubic as the four papers print it", not missed, detail)


def _published_vdsr(name: str, weights: Path | None) -> Iterator[Check]:
    title = f"{name}: VDSR as published, from its released weights"
    if weights is None:
        yield Check(title, None, "give --vdsr-weights FILE.npz")
        return
    method = as_method(load_weights(VDSR(), weights))
    gaps = {"psnr": 0.0, "ssim": 0.0}
    for scale in SCALES:
        scores = score_images(open_images(name), scale, PROTOCOLS["vdsr"], method, ("psnr", "ssim"), progress=False)
        for c in claims("drrn"):
            if (c.experiment, c.where, c.dataset, c.scale) == ("vdsr", "Table 2", name, scale):
                gaps[c.metric] = max(gaps[c.metric], abs(c.gap(scores[c.metric].mean())))
    detail = f"largest gap {gaps['psnr']:.3f} dB, {gaps['ssim']:.4f} SSIM"
    yield Check(title, all(gaps[metric] <= limit for metric, limit in (("psnr", 0.01), ("ssim", 0.0001))), detail)
