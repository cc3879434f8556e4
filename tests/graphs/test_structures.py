"""Traced structures against the papers' arithmetic, and their drawings against what was traced."""

import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from srlib.errors import InputError
from srlib.graphs.draw_structure import UNIT, Drawing, Frame, figure
from srlib.graphs.sparse_coding import LISTA, soft_threshold_plus
from srlib.graphs.structure import Structure
from srlib.graphs.tracing import trace
from srlib.models.drcn import DRCN
from srlib.models.drn import DRN
from srlib.models.drrn import DRRN
from srlib.models.dsrn import DSRN, Residual
from srlib.models.rlcsc import RLCSC
from srlib.models.srcnn import SRCNN
from srlib.models.vdsr import VDSR

TINY = torch.zeros(1, 1, 4, 4)
RGB = torch.zeros(1, 3, 4, 4)


def traced(model: nn.Module) -> Structure:
    """A model on a tiny image of its domain."""
    lr = RGB if model.colour == "rgb" else TINY
    size = 4 * (model.scale or 1)
    given = {"lr": lr, "ilr": torch.zeros(1, 1, size, size)}
    return trace(model, *(given[name] for name in model.domain.split("+")))


@pytest.mark.parametrize(("B", "U"), [(1, 1), (1, 9), (3, 2), (6, 3), (2, 0)])
def test_drrn_has_the_depth_of_equation_7_and_three_weight_tensors_a_block(B, U):
    """DRRN, Eq. 7 and Section 3.2: d = (1 + 2U)B + 1; f_b and the two of W_b; U additions a block and the global one."""
    s = trace(DRRN(B, U, 2), TINY)
    assert s.depth == len(s.of_kind("convolution")) == (1 + 2 * U) * B + 1
    assert len(s.weights()) == (3 if U else 1) * B + 1
    assert len(s.of_kind("addition")) == U * B + 1
    assert len(s.units()) == U * B


@pytest.mark.parametrize(
    ("flags", "tensors", "from_first"),
    [({}, 3, True), ({"shared": False}, 7, True), ({"multi_path": False}, 3, False)],
    ids=["DRRN", "NS", "C"],
)
def test_sharing_and_multiple_paths_are_seen_in_the_graph(flags, tensors, from_first):
    """DRRN, Table 4: NS has weights of its own in each unit, C adds a unit's own input."""
    s = trace(DRRN(1, 3, 2, **flags), TINY)
    assert len(s.weights()) == tensors + 1
    first = s.of_kind("convolution")[0]
    units = [s.operations[unit[-1]] for unit in s.units()]
    assert [first in o.inputs for o in units] == [True, from_first, from_first]


@pytest.mark.parametrize(
    "model",
    [SRCNN(), VDSR(7, 2), VDSR(7, 2, bn=True), DRCN(4, 2), DRRN(3, 2, 2), RLCSC(6, 2, 3), DSRN(3, 3, 4), DRN(4, 8, 2, 3, 2),
     DRN(3, 8, 2, 2, 2, fusion="block")],
    ids=lambda m: type(m).__name__,
)  # fmt: skip
def test_the_depth_that_a_model_states_is_that_of_its_graph(model):
    """Every model file's own formula for `depth`."""
    assert traced(model).depth == model.depth


def test_rlcsc_folds_to_k_recursions_of_one_convolution():
    """RL-CSC, Eq. 13 and Figure 2: d = K + 5; S alone is in the loop, and W_1 y is added in it."""
    s = trace(RLCSC(25, 2, 3), TINY)
    assert s.depth == 25 + 5
    assert {weight: len(users) for weight, users in s.weights().items()} == {
        "F0.weight": 1, "F1.weight": 1, "W1.weight": 1, "S.weight": 25, "W2.weight": 1, "H.weight": 1
    }  # fmt: skip
    folded = s.folded()
    assert folded.times == 25
    assert [folded.operations[i].kind for i in folded.body] == ["activation", "convolution", "addition"]
    assert folded.weights()["W1.weight"][0] in folded.operations[folded.body[-1]].inputs
    assert folded.depth == 6


def test_drrn_folds_with_batch_normalisation_of_its_own_in_each_recursion():
    """DRRN's model file: convolutions are shared among the U recursions, batch normalisation is not."""
    s = trace(DRRN(1, 9, 2), TINY).folded()
    assert s.times == 9
    assert [s.operations[i].per_step for i in s.body] == [True, False, False, True, False, False, False]


def test_drcn_folds_to_a_chain_and_supervises_every_recursion():
    """DRRN, Section 2.3: T recursions of one layer, each with a prediction, and their weighted sum."""
    s = trace(DRCN(16, 2), TINY)
    assert len(s.of_kind("arithmetic")) == 16
    assert len(s.operations[s.of_kind("addition")[-1]].inputs) == 16
    folded = s.folded()
    assert folded.times == 16
    ((leave, enter),) = folded.back
    assert [o.kind for o in folded.operations[enter : leave + 1]] == ["convolution", "activation"]


def test_lista_folds_to_one_step_less_than_it_has():
    """RL-CSC, Eq. 4 from z_0 = 0: the first step needs no G."""
    s = trace(LISTA(torch.rand(4, 6), 0.1, 5, h=soft_threshold_plus), torch.zeros(1, 4)).folded()
    assert s.times == 4


def test_a_network_without_recursion_does_not_fold():
    """VDSR shares nothing."""
    with pytest.raises(InputError, match="repeats"):
        trace(VDSR(6, 2), TINY).folded()


@pytest.mark.parametrize("d", [2, 8])
def test_a_distilling_block_widens_by_d(d):
    """DRN, Eqs. 9 to 11: D_{i+1} - D_i = d, and the addition covers D_i channels."""
    s = trace(DRN(3, 16, 1, 4, d), RGB)
    for k in range(4):
        block = s.part(s.within(f"groups.0.blocks.{k}"))
        assert block.operations[-1].channels - block.operations[0].channels == d
        added, new = (block.operations[i].channels for i in block.of_kind("slice"))
        assert (added, new) == (block.operations[0].channels, d)


def test_a_part_that_is_collapsed_keeps_what_is_around_it():
    """Identity: the groups of DRN as boxes leave the head, the long skip and the reconstruction."""
    s = trace(DRN(4, 8, 2, 2, 2), RGB)
    for g in range(2):
        s = s.collapsed(f"groups.{g}")
    assert [o.kind for o in s.operations] == [
        "input", "convolution", "module", "module", "addition", *2 * ["convolution", "shuffle"], "convolution", "output"
    ]  # fmt: skip
    assert s.operations[4].inputs == (1, 3)
    with pytest.raises(InputError, match="Nothing is called inside"):
        s.collapsed("groups.7")


def test_calls_of_one_shared_module_are_collapsed_one_by_one():
    """Identity: a module that is called three times, with another in between, is three boxes."""
    block = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.ReLU())
    other = nn.Conv2d(1, 1, 1)
    s = trace(nn.Sequential(block, other, block, other, block), TINY).collapsed("0")
    assert len(s.of_kind("module")) == 3


def test_omitting_normalisation_and_activation_changes_no_path():
    """DRRN, Figure 2's caption: they are omitted "for clarity"; depth, sharing and units stay."""
    s = trace(DRRN(2, 3, 2), TINY)
    simple = s.without("normalisation", "activation")
    assert {o.kind for o in simple.operations} == {"input", "convolution", "addition", "output"}
    assert (simple.depth, len(simple.weights()), len(simple.units())) == (s.depth, len(s.weights()), len(s.units()))


def test_tracing_leaves_the_model_as_it_was():
    """Identity: parameters, running statistics, mode and hooks are untouched."""
    model = DRRN(1, 2, 3).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trace(model, torch.rand(2, 1, 6, 6))
    assert model.training
    assert all(module.training and not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_a_function_that_is_not_known_is_refused_by_name():
    """A drawing that leaves something out would be wrong."""
    with pytest.raises(InputError, match="tanh"):
        trace(nn.Sequential(nn.Conv2d(1, 1, 1), nn.Tanh()), TINY)


def _simplified_drcn() -> nn.Module:
    model = DRCN(4, 2)
    model.embedding_2 = model.reconstruction_1 = nn.Identity()
    return model


@pytest.mark.parametrize("vertical", [False, True])
@pytest.mark.parametrize(
    "structure",
    [
        trace(DRRN(1, 2, 2), TINY),
        trace(_simplified_drcn(), TINY).without("activation"),
        trace(RLCSC(4, 2, 3), TINY).folded(),
        trace(DRN(4, 8, 2, 1, 2), RGB),
        trace(nn.Sequential(nn.Conv2d(1, 2, 1), Residual(2)), TINY),
    ],
    ids=["DRRN", "DRCN", "RL-CSC", "DRN", "ResNet"],
)
def test_every_operation_is_drawn_once_and_no_two_in_one_place(structure, vertical):
    """The drawing's own patches: a box or a circle with its text for each operation, none over another."""
    drawn = figure(
        Drawing(structure, "title", frames=tuple(Frame(unit, UNIT) for unit in structure.units()), vertical=vertical)
    )
    axes = drawn.axes[0]
    boxes = [p for p in axes.patches if isinstance(p, plt.Rectangle) and p.get_linestyle() == "solid"]
    circles = [p for p in axes.patches if isinstance(p, plt.Circle) and p.radius > 0.1]
    assert len(boxes) + len(circles) == len(structure.operations)
    assert len(circles) == len(structure.of_kind("addition"))
    extents = [p.get_extents().transformed(axes.transData.inverted()) for p in (*boxes, *circles)]
    assert not any(a.overlaps(b) for k, a in enumerate(extents) for b in extents[:k])
    low, high = axes.viewLim.min, axes.viewLim.max
    assert all((e.min >= low).all() and (e.max <= high).all() for e in extents)
    plt.close(drawn)


def test_convolutions_have_one_colour_if_and_only_if_they_share_their_weights():
    """DRRN, Figure 2(d): "with light green or light red color" within the block; tensors that are used once are white."""
    structure = trace(DRRN(2, 2, 2), TINY)
    drawn = figure(Drawing(structure))
    colours = {}
    for text in drawn.axes[0].texts:
        if text.get_text().startswith("conv"):
            boxes = [p for p in drawn.axes[0].patches if isinstance(p, plt.Rectangle)]
            box = next(p for p in boxes if p.get_center() == pytest.approx(text.get_position()))
            colours.setdefault(text.get_text(), set()).add(box.get_facecolor())
    assert len(colours) == len(structure.weights()) == 7
    assert all(len(found) == 1 for found in colours.values())
    white = (1.0, 1.0, 1.0, 1.0)
    shared = [found for found in map(set.pop, colours.values()) if found != white]
    assert len(shared) == len(set(shared)) == 4
    plt.close(drawn)


def test_a_frame_beside_the_trunk_is_refused():
    """What `Frame` says of its operations."""
    structure = trace(DRRN(1, 1, 2), TINY)
    with pytest.raises(InputError, match="trunk"):
        figure(Drawing(structure, frames=(Frame((), UNIT),)))
