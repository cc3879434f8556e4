"""DRN's numbers that need no training; its contradictions and what it leaves open are in modules of their own."""

import torch

from srlib.graphs.recurrence import convolutions
from srlib.models import outline, params_total
from srlib.models.drn import DRN, Group, ResidualDistilling
from srlib.papers import drn, get_experiment
from srlib.papers.checks.counting import Number, images, net
from srlib.papers.checks.drn_choices import CHOICES as CHOICES
from srlib.papers.checks.drn_contradictions import CONTRADICTIONS as CONTRADICTIONS
from srlib.papers.checks.drn_contradictions import edsr_x4, methods, table_3
from srlib.training.recipe import Recipe
from srlib.training.state import ADAM


def _group() -> Group:
    return net("drn_x3").groups[0]


def _rd() -> ResidualDistilling:
    return _group().blocks[0]


def _recipe(experiment: str) -> Recipe:
    return get_experiment(experiment).recipe("published")


def _fused_blocks() -> DRN:
    """The other reading of where features are fused."""
    return DRN(3, fusion="block")


def _elu_floor() -> float:
    """How far below zero a block's activation lets its input sink: ELU's alpha."""
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
    "drn.p.rdb.fusion.kernel": lambda: outline(_fused_blocks).groups[0].blocks[0].fuse.kernel_size[0],
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
