"""Validation during training: PSNR on a few crops of images that are in no training and no test set."""

import math
from collections.abc import Callable

import numpy as np
from torch import nn

from srlib.datasets import ImageSet, is_available, open_images
from srlib.inference.enlarge import as_method
from srlib.protocol import PROTOCOLS
from srlib.training.recipe import Experiment, Recipe

VALIDATION = "BSDS500_test"  # every twentieth image of it, held out from every training set


def validation_images() -> ImageSet:
    """The validation images: every twentieth of `VALIDATION`."""
    images = open_images(VALIDATION)
    return ImageSet(images.name, images.paths[::20], images.sha256[::20])


def without_validation(images: ImageSet) -> ImageSet:
    """A training set without the validation images."""
    if not is_available(VALIDATION):
        return images
    excluded = set(validation_images().paths)
    indices = [k for k, path in enumerate(images.paths) if path not in excluded]
    return ImageSet(images.name, tuple(images.paths[k] for k in indices), tuple(images.sha256[k] for k in indices))


def validation(experiment: Experiment, recipe: Recipe) -> Callable[[nn.Module], float]:
    """A function from a model to its PSNR (dB) on ten crops of the validation images; NaN where they are not at hand."""
    if not is_available(VALIDATION):
        return lambda model: math.nan
    scale = 3 if 3 in recipe.scales else recipe.scales[0]
    protocol = PROTOCOLS[experiment.protocols[0]]
    crops = [image[100:220, 100:220] for _, image in validation_images()]

    def validate(model: nn.Module) -> float:
        return float(np.mean([protocol.evaluate(crop, scale, as_method(model), ("psnr",)).psnr for crop in crops]))

    return validate
