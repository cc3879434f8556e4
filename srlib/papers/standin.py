"""A stand-in for DIV2K, which is too large for some places, under names that cannot be mistaken for the papers' experiments.

491 images in place of 800, and smaller: 91 of Yang et al. and 200 + 200 of Berkeley's, none from a test set of the papers; ten
of the last are kept out, to validate. A stand-in compares the networks of one table with each other; its numbers stand beside
a published one only with this said.
"""

from dataclasses import replace

from srlib.training.recipe import Experiment

DATA = "T91+BSDS200+BSDS500_test"
SUFFIX = "_standin"


def standin(experiment: Experiment) -> Experiment:
    """The same network and recipes on the stand-in's images."""
    return replace(experiment, name=experiment.name + SUFFIX, data=DATA)
