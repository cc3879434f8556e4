"""DRN's numbers that need no training, and its contradictions.

A slip may be one of our copy of the text: its Table 3 lacks most rows of x2 and x4.
"""

from collections.abc import Callable

import torch
from torch import nn

from srlib.graphs.recurrence import convolutions
from srlib.models import meta_model, params, params_total
from srlib.models.drn import DRN, Group, ResidualDistilling
from srlib.papers import drn, get_experiment
from srlib.papers.checks.counting import Number, images, net
from srlib.papers.published import Claim, claims, printed
from srlib.training.recipe import Recipe
from srlib.training.state import ADAM


def _group() -> Group:
    return net("drn_x3").groups[0]


def _rd() -> ResidualDistilling:
    return _group().blocks[0]


def _recipe(experiment: str) -> Recipe:
    return get_experiment(experiment).recipe("published")


def _fused_blocks() -> DRN:
    """DRN x3 with the fusion of features in each block, the other reading of the text."""
    return DRN(3, fusion="block")


def _elu_floor() -> float:
    """The lowest value of a block's activation, negated: ELU's alpha."""
    with torch.random.fork_rng(), torch.no_grad():
        block = ResidualDistilling(2, 1, fused=False)
        block.expand.weight.zero_()
        block.expand.bias.fill_(-1e4)
        return -block(torch.zeros(1, 2, 1, 1)).min().item()


_SCALES = {  # of figures and tables, from captions and text
    **dict.fromkeys(("f1.scale", "f1.scale.text", "f2.scale", "f2.scale.text", "f7.scale", "f8.scale"), "drn_x4"),
    **dict.fromkeys(("f6.scale", "t2.scale"), "drn_x3"),
}
NUMBERS: dict[str, Number] = {
    **{f"drn.{key}": lambda name=name: net(name).scale for key, name in _SCALES.items()},
    "drn.p.srcnn.depth": lambda: net("srcnn_915").depth,
    "drn.p.vdsr.depth": lambda: net("vdsr").depth,
    "drn.p.rdb.fusion.kernel": lambda: meta_model(_fused_blocks).groups[0].blocks[0].fuse.kernel_size[0],
    "drn.p.rd.kernel.first": lambda: _rd().reduce.kernel_size[0],
    "drn.p.rd.kernel.middle": lambda: _rd().conv.kernel_size[0],
    "drn.p.rd.kernel.last": lambda: _rd().expand.kernel_size[0],
    "drn.p.lfe.convolutions": lambda: convolutions(net("drn_x3").F_LFE),
    "drn.p.ir.convolutions": lambda: convolutions(net("drn_x3").reconstruction),
    **{f"drn.p.{name}.kernel": lambda: _group().fuse.kernel_size[0] for name in ("fusion", "compression", "local_fusion")},
    "drn.t1.colours": lambda: net("drn_x3").reconstruction.out_channels,
    "drn.t2.epoch": lambda: _recipe("drn_x3_epoch100").iterations / drn.EPOCH,
    "drn.p.kernel": lambda: net("drn_x3").F_LFE.kernel_size[0],
    "drn.p.padding": lambda: net("drn_x3").F_LFE.padding[0],
    "drn.p.stride": lambda: net("drn_x3").F_LFE.stride[0],
    "drn.p.C": lambda: net("drn_x3").F_LFE.out_channels,
    "drn.p.K": lambda: len(_group().blocks),
    "drn.p.G": lambda: len(net("drn_x3").groups),
    "drn.p.d": lambda: _rd().expand.out_channels - _rd().reduce.in_channels,
    "drn.p.C.plus": lambda: net("drn_plus_x3").F_LFE.out_channels,
    "drn.p.elu": _elu_floor,
    "drn.p.beta_1": lambda: ADAM["betas"][0],
    "drn.p.beta_2": lambda: ADAM["betas"][1],
    "drn.p.epsilon": lambda: ADAM["eps"],
    "drn.p.lr": lambda: _recipe("drn_x3").lr,
    "drn.p.lr.epochs": lambda: _recipe("drn_x3").decay_every / drn.EPOCH,
    "drn.p.epochs": lambda: _recipe("drn_x3").iterations / drn.EPOCH,
    "drn.p.epochs.plus": lambda: _recipe("drn_plus_x3").iterations / drn.EPOCH,
    "drn.p.images": images("DIV2K"),
    "drn.p.benchmarks": lambda: len({claim.dataset for claim in table_3()}),
    "drn.p.batch": lambda: _recipe("drn_x3").batch,
    "drn.p.patch": lambda: _recipe("drn_x3").patch / net("drn_x3").scale,
    "drn.p.colours": lambda: net("drn_x3").F_LFE.in_channels,
    "drn.t3.methods": lambda: len(methods()),
    "drn.t3.filters": lambda: net("drn_x3").F_LFE.out_channels,
    "drn.f2.parameters": lambda: 100 * (1 - params_total(net("drn_plus_x4")) / edsr_x4()),
}


def table_3() -> list[Claim]:
    """The PSNRs of Table 3."""
    return [claim for claim in claims("drn") if claim.where == "Table 3" and claim.metric == "psnr"]


def methods() -> set[str]:
    """The methods with which Table 3 compares."""
    return {claim.method for claim in table_3()} - {"bicubic", "drn", "drn_plus"}


def _convolution(channels_in: int, channels_out: int, side: int = 3) -> int:
    """Number of weights and biases of one layer."""
    return side * side * channels_in * channels_out + channels_out


def edsr_x4() -> int:
    """Number of parameters of EDSR x4: 32 residual blocks of 256 filters, a closing convolution, two pixel shuffles."""
    body = (2 * 32 + 1) * _convolution(256, 256)
    return _convolution(3, 256) + body + 2 * _convolution(256, 4 * 256) + _convolution(256, 3)


def _rcan_x4() -> int:
    """Number of parameters of RCAN x4: 10 groups of 20 blocks of 64 filters, channel attention by 1/16, two pixel shuffles."""
    block = 2 * _convolution(64, 64) + _convolution(64, 4, 1) + _convolution(4, 64, 1)
    body = 10 * (20 * block + _convolution(64, 64)) + _convolution(64, 64)
    return _convolution(3, 64) + body + 2 * _convolution(64, 4 * 64) + _convolution(64, 3)


def _eqs_6_and_7() -> tuple[float, float]:
    """Y_2 by Eq. 6 and by Eq. 7, if every group is the identity and Y_0 = 1."""
    Y_0 = 1.0
    Y_1 = Y_0 + Y_0
    return Y_1 + Y_1, Y_0 + Y_1  # F_2(Y_1) + Y_1, F_2(F_1(Y_0)) + Y_1


def _eq_5_enlarges() -> bool:
    """Whether F_IR(F_RDGs(F_LFE(I_LR))) is larger than I_LR."""
    model, I_LR = meta_model(lambda: DRN(3, C=4, G=1, K=1, d=1)), torch.zeros(1, 3, 5, 7, device="meta")
    with torch.no_grad():
        return model.reconstruction(model.groups(model.F_LFE(I_LR))).shape != I_LR.shape


def _odd_factors_work() -> bool:
    """Whether pixel shuffle, transposed convolution and repeated pixels enlarge three times."""
    layers = (nn.PixelShuffle(3), nn.ConvTranspose2d(9, 1, 3, stride=3), nn.Upsample(scale_factor=3))
    return all(layer(torch.zeros(1, 9, 2, 2)).shape[-2:] == (6, 6) for layer in layers)


def _differ(*cells: str) -> bool:
    """Whether DRRN's Table 2 prints other numbers for these cells of Table 3."""
    return all(printed(f"drn.t3.{cell}") != printed(f"drrn.t2.{cell}") for cell in cells)


# Whether a contradiction of `contradictions.csv` still holds, for those that a computation shows.
HOLDS: dict[str, Callable[[], bool]] = {
    "drn.srmdnf_set5": lambda: printed("drn.t3.set5.x3.srmdnf.psnr") < printed("drn.t3.set5.x3.bicubic.psnr"),
    "drn.bicubic_set5": lambda: _differ("set5.x3.bicubic.ssim"),
    "drn.vdsr_drcn_set5": lambda: (
        _differ("set5.x3.vdsr.ssim", "set5.x3.drcn.ssim")
        and not _differ("set5.x3.vdsr.psnr")
        and not _differ("set5.x3.drcn.psnr")
    ),
    "drn.set14_ssim": lambda: (
        printed("drn.t3.set14.x3.drn.ssim") > printed("drn.t3.set14.x3.drn_plus.ssim")
        and printed("drn.t3.set14.x3.drn.psnr") < printed("drn.t3.set14.x3.drn_plus.psnr")
    ),
    "drn.a_plus_bsd100": lambda: (
        printed("drn.t3.bsd100.x3.a+.psnr") == printed("dsrn.t1.urban100.x3.a+.psnr")
        and printed("drn.t3.bsd100.x3.a+.psnr") < printed("drn.t3.bsd100.x3.bicubic.psnr")
        and printed("drn.t3.bsd100.x3.a+.ssim") > printed("drn.t3.bsd100.x3.bicubic.ssim") + 0.05
    ),
    "drn.msrn_bsd100": lambda: printed("drn.t3.bsd100.x3.msrn.ssim") == printed("drn.t3.urban100.x3.msrn.ssim"),
    "drn.no_ifc": lambda: not any(claim.metric == "ifc" for claim in claims("drn")),
    "drn.ten_methods": lambda: len(methods()) == 7 and not {"srcnn", "fsrcnn", "edsr"} & methods(),
    "drn.superior": lambda: (
        printed("drn.t3.set14.x3.msrn.psnr") > printed("drn.t3.set14.x3.drn.psnr") and not {"edsr", "rdn", "rcan"} & methods()
    ),
    "drn.huge_networks": lambda: (
        min((1 - printed("drn.f2.parameters") / 100) * edsr_x4(), params_total(net("drn_plus_x4"))) > _rcan_x4()
    ),
    "drn.kernels": lambda: printed("drn.p.kernel") not in (printed("drn.p.rd.kernel.first"), printed("drn.p.rd.kernel.last")),
    "drn.place_of_fusion": lambda: params(net("drn_x3")) != params(meta_model(_fused_blocks)),
    "drn.eq_5": lambda: not _eq_5_enlarges(),
    "drn.eq_7": lambda: len(set(_eqs_6_and_7())) == 2,
    "drn.odd_factors": _odd_factors_work,
    "drn.image_74": lambda: printed("drn.f1.image") != printed("drn.f1.image.text"),
}
