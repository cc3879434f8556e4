"""Every network of `srlib.models`, small, and an image for it: what tests of several rooms share."""

import pytest
import torch

from srlib.models import DRCN, DRN, DRRN, DSRN, RLCSC, SRCNN, VDSR, SingleState

# Every architecture and every switch of it, small; with the same weights in every run, under which no network is dead.
with torch.random.fork_rng():
    torch.manual_seed(19)
    SMALL = {
        "srcnn": SRCNN(f_2=5, n_1=4, n_2=4),
        "vdsr": VDSR(5, 4),
        "vdsr_bn": VDSR(5, 4, bn=True),
        "drcn": DRCN(3, 4),
        "drrn": DRRN(2, 2, 4),
        "drrn_ns": DRRN(1, 2, 4, shared=False),
        "drrn_c": DRRN(1, 2, 4, multi_path=False),
        "drrn_u0": DRRN(3, 0, 4),
        "dsrn_x2": DSRN(2, 3, 4),
        "dsrn_x3": DSRN(3, 2, 4),
        "dsrn_x4": DSRN(4, 2, 4),
        "dsrn_x4_kernel3": DSRN(4, 2, 4, kernel=3),
        "dsrn_x2_kernel5": DSRN(2, 2, 4, kernel=5),
        "dsrn_untied": DSRN(2, 2, 4, shared=False),
        "dsrn_no_feedback": DSRN(3, 2, 4, feedback=False),
        "dsrn_last_state": DSRN(2, 2, 4, average=False),
        "dsrn_gain": DSRN(2, 2, 4, normalise="prelu_gain"),
        "dsrn_single_state": SingleState(2, 4),
        "rlcsc": RLCSC(3, 4, 6),
        "rlcsc_no_residual": RLCSC(2, 4, 6, residual=False),
        "drn_x2": DRN(2, 8, 2, 2, 2),
        "drn_x3": DRN(3, 8, 2, 2, 2),
        "drn_x4": DRN(4, 8, 2, 2, 2),
        "drn_block": DRN(3, 8, 2, 2, 2, fusion="block"),
        "drn_plain": DRN(3, 8, 2, 2, 0),
    }
small = pytest.mark.parametrize("name", SMALL)


def images(model, height=11, width=13, seed=0):
    """An LR image and its interpolation, as far as a model's shapes go."""
    generator = torch.Generator().manual_seed(seed)
    scale = model.scale or 1
    lr = torch.rand(2, model.channels, height, width, generator=generator)
    return lr, torch.rand(2, 1, scale * height, scale * width, generator=generator)
