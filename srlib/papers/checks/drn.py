"""DRN's numbers that need no training, and its contradictions.

A slip may be one of our copy of the text: its Table 3 lacks most rows of x2 and x4.
"""

import torch
from torch import nn

from srlib.graphs.recurrence import convolutions
from srlib.models import meta_model, params, params_total
from srlib.models.drn import DRN, Group, ResidualDistilling
from srlib.papers import drn, get_experiment
from srlib.papers.checks.counting import Number, images, net
from srlib.papers.published import Claim, Contradiction, claims, printed
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
    "drn.p.fusion.kernel": lambda: _group().fuse.kernel_size[0],
    "drn.p.compression.kernel": lambda: _group().fuse.kernel_size[0],
    "drn.t1.colours": lambda: net("drn_x3").reconstruction.out_channels,
    "drn.t2.epoch": lambda: _recipe("drn_x3_epoch100").iterations / drn.EPOCH,
    "drn.p.kernel": lambda: net("drn_x3").F_LFE.kernel_size[0],
    "drn.p.padding": lambda: net("drn_x3").F_LFE.padding[0],
    "drn.p.stride": lambda: net("drn_x3").F_LFE.stride[0],
    "drn.p.local_fusion.kernel": lambda: _group().fuse.kernel_size[0],
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


# Contradictions


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


CONTRADICTIONS = (
    Contradiction(
        "drn.srmdnf_set5",
        "misprint",
        "drn.txt:192",
        "24.12/0.9254",
        "Below bicubic interpolation by 6 dB: 34.12 is meant.",
        lambda: printed("drn.t3.set5.x3.srmdnf.psnr") < printed("drn.t3.set5.x3.bicubic.psnr"),
        ("drn.t3.set5.x3.srmdnf.psnr",),
    ),
    Contradiction(
        "drn.bicubic_set5",
        "misprint",
        "drn.txt:192",
        "30.39/0.8688",
        "The other papers print .8682, which we reproduce.",
        lambda: _differ("set5.x3.bicubic.ssim"),
        ("drn.t3.set5.x3.bicubic.ssim",),
    ),
    Contradiction(
        "drn.vdsr_drcn_set5",
        "misprint",
        "drn.txt:192",
        "33.66/0.9201",
        "DRRN and RL-CSC print .9213, and .9226 for DRCN where .9215 stands here. The PSNRs beside them are the same.",
        lambda: (
            _differ("set5.x3.vdsr.ssim", "set5.x3.drcn.ssim")
            and not _differ("set5.x3.vdsr.psnr")
            and not _differ("set5.x3.drcn.psnr")
        ),
        ("drn.t3.set5.x3.vdsr.ssim", "drn.t3.set5.x3.drcn.ssim"),
    ),
    Contradiction(
        "drn.set14_ssim",
        "misprint",
        "drn.txt:193",
        "30.30/0.8664",
        "DRN is above DRN+ (.8466) by .02, with a lower PSNR: probably .8464 is meant.",
        lambda: (
            printed("drn.t3.set14.x3.drn.ssim") > printed("drn.t3.set14.x3.drn_plus.ssim")
            and printed("drn.t3.set14.x3.drn.psnr") < printed("drn.t3.set14.x3.drn_plus.psnr")
        ),
        ("drn.t3.set14.x3.drn.ssim",),
    ),
    Contradiction(
        "drn.a_plus_bsd100",
        "misprint",
        "drn.txt:194",
        "26.05/0.8019",
        "Below bicubic in PSNR and far above it in SSIM. 26.05 dB is A+ on Urban100; on BSD100 it is 28.30.",
        lambda: (
            printed("drn.t3.bsd100.x3.a+.psnr") == printed("dsrn.t1.urban100.x3.a+.psnr")
            and printed("drn.t3.bsd100.x3.a+.psnr") < printed("drn.t3.bsd100.x3.bicubic.psnr")
            and printed("drn.t3.bsd100.x3.a+.ssim") > printed("drn.t3.bsd100.x3.bicubic.ssim") + 0.05
        ),
        ("drn.t3.bsd100.x3.a+.psnr", "drn.t3.bsd100.x3.a+.ssim"),
    ),
    Contradiction(
        "drn.msrn_bsd100",
        "misprint",
        "drn.txt:194",
        "29.08/0.8554",
        "The SSIM is that of the next row, Urban100. On BSD100 all others are at .81 or below.",
        lambda: printed("drn.t3.bsd100.x3.msrn.ssim") == printed("drn.t3.urban100.x3.msrn.ssim"),
        ("drn.t3.bsd100.x3.msrn.ssim",),
    ),
    Contradiction(
        "drn.no_ifc",
        "slip",
        "drn.txt:188",
        "Average PSNR/SSIM/IFC for $2\\times$, $3\\times$, and $4\\times$ upscaling",
        "No IFC is printed.",
        lambda: not any(claim.metric == "ifc" for claim in claims("drn")),
    ),
    Contradiction(
        "drn.ten_methods",
        "material",
        "drn.txt:202",
        "We compare our method with 10 state-of-the-art methods",
        "Table 3 compares with seven. SRCNN, FSRCNN and EDSR are not in it.",
        lambda: len(methods()) == 7 and not {"srcnn", "fsrcnn", "edsr"} & methods(),
        ("drn.t3.methods",),
    ),
    Contradiction(
        "drn.superior",
        "material",
        "drn.txt:9",
        "our DRN is superior to the state-of-the-art methods",
        "DRN itself is behind MSRN on Set14 at x3, 30.30 to 30.34 dB. EDSR, RDN and RCAN, which the Introduction describes, "
        "are not in Table 3.",
        lambda: (
            printed("drn.t3.set14.x3.msrn.psnr") > printed("drn.t3.set14.x3.drn.psnr")
            and not {"edsr", "rdn", "rcan"} & methods()
        ),
        ("drn.p.order.abstract",),
    ),
    Contradiction(
        "drn.huge_networks",
        "material",
        "drn.txt:24",
        "these two models are too complicated, and the amount of parameters is huge",
        "One of the two, RCAN, has 15.6 million parameters. DRN+, by its 54 % fewer than EDSR, has 20 million.",
        lambda: min((1 - printed("drn.f2.parameters") / 100) * edsr_x4(), params_total(net("drn_plus_x4"))) > _rcan_x4(),
        ("drn.p.order.huge",),
    ),
    Contradiction(
        "drn.kernels",
        "material",
        "drn.txt:182",
        "we set 3×3 as the size of all convolutional layers",
        "Fusion is excepted, but by the Introduction two of the three layers of each block are 1 x 1, too.",
        lambda: printed("drn.p.kernel") not in (printed("drn.p.rd.kernel.first"), printed("drn.p.rd.kernel.last")),
        ("drn.p.kernel",),
    ),
    Contradiction(
        "drn.place_of_fusion",
        "material",
        "drn.txt:35",
        "feature fusion and dimensionality reduction at the last position of the RDB",
        "Section 2.2 and Eq. 14 have it once, at the end of the group. Section 3.1 names a local and a global fusion, so both "
        "may be meant. The networks differ in size.",
        lambda: params(net("drn_x3")) != params(meta_model(_fused_blocks)),
    ),
    Contradiction(
        "drn.eq_5",
        "slip",
        "drn.txt:68",
        "F_{IR}(F_{UP}) = F_{IR}(F_{RDGs}(F_{LFE}(I_{LR})))",
        "F_IR is applied to a function. The right side has neither the enlargement (Eq. 4) nor the global skip (Eq. 3): its "
        "image is as small as the input.",
        lambda: not _eq_5_enlarges(),
    ),
    Contradiction(
        "drn.eq_7",
        "slip",
        "drn.txt:88",
        "F_g(F_{g-1}(\\cdots F_1(Y_0)\\cdots)) + Y_{g-1}",
        "From the second group on this is not Eq. 6, whose groups take the sums with their skips.",
        lambda: len(set(_eqs_6_and_7())) == 2,
    ),
    Contradiction(
        "drn.input_and_output",
        "slip",
        "drn.txt:90",
        "F_{g-1} and F_g are the input and output of g-th RDG",
        "F is a function. Input and output are Y_{g-1} and Y_g (Eq. 6).",
    ),
    Contradiction(
        "drn.d_and_D",
        "slip",
        "drn.txt:121",
        "F_{RDB,1}(D_1)",
        "D_i and d are numbers of channels in Eq. 9 and features in Eqs. 10 to 13. There the input of block k has two names, "
        "D_k and the output of the block before.",
    ),
    Contradiction(
        "drn.gdgs",
        "slip",
        "drn.txt:54",
        "the output of GDGs",
        "RDGs is meant.",
    ),
    Contradiction(
        "drn.session",
        "slip",
        "drn.txt:134",
        "As discussed in Session 2.3",
        "The two outputs and their sum are those of Section 2.1 (Eqs. 1 to 3).",
    ),
    Contradiction(
        "drn.odd_factors",
        "material",
        "drn.txt:152",
        "these methods cant work on odd upscaling factors(e.g. x3, x5)",
        "All three that are named can enlarge three times. The paper itself does so by one of them, pixel shuffle.",
        _odd_factors_work,
        ("drn.p.order.odd",),
    ),
    Contradiction(
        "drn.dbn",
        "slip",
        "drn.txt:168",
        "DBN+",
        "DRN+ is meant.",
    ),
    Contradiction(
        "drn.missing_figure",
        "slip",
        "drn.txt:176",
        "as shown in Fig.??",
        "The comparison of the two losses is nowhere shown.",
    ),
    Contradiction(
        "drn.bsdb100",
        "slip",
        "drn.txt:198",
        "BSDB100 [25]",
        "The set is BSD100.",
    ),
    Contradiction(
        "drn.image_74",
        "misprint",
        "drn.txt:204",
        'For image "Image075"',
        "By its caption Figure 1 shows Image074.",
        lambda: printed("drn.f1.image") != printed("drn.f1.image.text"),
        ("drn.f1.image", "drn.f1.image.text"),
    ),
)
