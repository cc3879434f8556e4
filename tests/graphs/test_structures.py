"""Traced structures against the papers' arithmetic, and their drawings against what was traced."""

import matplotlib.pyplot as plt
import pytest
import torch
from small_networks import SMALL, images, small
from torch import nn

from srlib.errors import InputError
from srlib.graphs.draw_structure import UNIT, Drawing, Frame, block_frame, figure, layer_frame, prediction_texts, unit_frames
from srlib.graphs.sparse_coding import LISTA, soft_threshold_plus
from srlib.graphs.tracing import trace
from srlib.models import DRCN, DRN, DRRN, RLCSC, VDSR
from srlib.models.dsrn import Residual

TINY, RGB = torch.zeros(1, 1, 4, 4), torch.zeros(1, 3, 4, 4)


@small
def test_the_depth_that_a_model_states_is_that_of_its_graph(name):
    """Every model file's own formula for `depth`."""
    model = SMALL[name]
    given = images(model)[: len(model.domain.split("+"))]  # of an ILR network both images have one shape
    assert trace(model, *given).depth == model.depth


@pytest.mark.parametrize(("B", "U"), [(1, 1), (1, 9), (3, 2), (6, 3), (2, 0)])
def test_drrn_has_the_depth_of_equation_7_and_three_weight_tensors_a_block(B, U):
    """DRRN, Eq. 7 and Section 3.2: d = (1 + 2U)B + 1; f_b and the two of W_b; U additions a block and the global one. Its
    Figure 2 omits normalisation and activation "for clarity": depth, sharing and units stay."""
    s = trace(DRRN(B, U, 2), TINY)
    simple = s.without("normalisation", "activation")
    assert {o.kind for o in simple.operations} == {"input", "convolution", "addition", "output"}
    for structure in (s, simple):
        assert structure.depth == len(structure.of_kind("convolution")) == (1 + 2 * U) * B + 1
        assert len(structure.weights()) == (3 if U else 1) * B + 1
        assert len(structure.of_kind("addition")) == U * B + 1
        assert len(structure.units()) == U * B


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
    assert [first in s.operations[unit[-1]].inputs for unit in s.units()] == [True, from_first, from_first]


@pytest.mark.parametrize(
    ("model", "times", "body", "own"),
    [
        (RLCSC(25, 2, 3), 25, ["activation", "convolution", "addition"], []),
        (DRCN(16, 2), 16, ["convolution", "activation"], []),
        (DRRN(1, 9, 2), 9, [*["normalisation", "activation", "convolution"] * 2, "addition"], [0, 3]),
    ],
    ids=["RL-CSC", "DRCN", "DRRN"],
)
def test_a_recursive_network_folds_to_one_recursion(model, times, body, own):
    """RL-CSC's Figure 2: S alone is in the loop, and W_1 y is added in it. DRCN (DRRN, Section 2.3): a chain of one layer.
    DRRN: convolutions are shared among the U recursions, batch normalisation is not."""
    s = trace(model, TINY).folded()
    assert s.times == times
    ((leave, enter),) = s.back
    assert [o.kind for o in s.operations[enter : leave + 1]] == body
    assert [i - enter for i in s.body if s.operations[i].per_step] == own
    if isinstance(model, RLCSC):
        assert list(s.weights()) == [f"{name}.weight" for name in ("F0", "F1", "W1", "S", "W2", "H")]
        assert s.weights()["W1.weight"][0] in s.operations[s.body[-1]].inputs


def test_drcn_supervises_every_recursion():
    """DRRN, Section 2.3 and Figure 2(c): T recursions of one layer, each with a prediction, and their weighted sum."""
    s = trace(DRCN(4, 2), TINY)
    assert len(s.operations[s.of_kind("addition")[-1]].inputs) == len(s.of_kind("arithmetic")) == 4
    assert list(prediction_texts(s).values()) == [f"$y_{t}$" for t in (1, 2, 3, 4)]
    operations = layer_frame(s).operations
    assert len(operations) == 4
    assert len({s.operations[i].weight for i in operations}) == 1


def test_lista_folds_to_one_step_less_than_it_has():
    """RL-CSC, Eq. 4 from z_0 = 0: the first step needs no G."""
    assert trace(LISTA(torch.rand(4, 6), 0.1, 5, h=soft_threshold_plus), torch.zeros(1, 4)).folded().times == 4


def test_what_is_not_there_is_refused_by_name():
    """VDSR shares nothing: it neither folds nor has a recursive layer. A drawing that leaves something out would be wrong."""
    s = trace(VDSR(4, 2), TINY)
    with pytest.raises(InputError, match="repeats"):
        s.folded()
    with pytest.raises(InputError, match="there is no recursive layer"):
        layer_frame(s)
    with pytest.raises(InputError, match="Nothing is called inside"):
        s.collapsed("groups.7")
    with pytest.raises(InputError, match="trunk"):
        figure(Drawing(s, frames=(Frame((), UNIT),)))
    with pytest.raises(InputError, match="tanh"):
        trace(nn.Sequential(nn.Conv2d(1, 1, 1), nn.Tanh()), TINY)
    assert prediction_texts(s) == {}


def test_a_part_that_is_collapsed_keeps_what_is_around_it():
    """Identity: the groups of DRN as boxes leave the head, the long skip and the reconstruction."""
    s = trace(DRN(4, 8, 2, 2, 2), RGB).collapsed("groups.0").collapsed("groups.1")
    assert [o.kind for o in s.operations] == [
        "input", "convolution", "module", "module", "addition", *2 * ["convolution", "shuffle"], "convolution", "output"
    ]  # fmt: skip
    assert s.operations[4].inputs == (1, 3)


def test_calls_of_one_shared_module_are_collapsed_one_by_one():
    """Identity: a module that is called three times, with another in between, is three boxes."""
    block, other = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.ReLU()), nn.Conv2d(1, 1, 1)
    s = trace(nn.Sequential(block, other, block, other, block), TINY).collapsed("0")
    assert len(s.of_kind("module")) == 3


def test_tracing_leaves_the_model_as_it_was():
    """Identity: parameters, running statistics, mode and hooks are untouched."""
    model = DRRN(1, 2, 3).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trace(model, torch.rand(2, 1, 6, 6))
    assert all(module.training and not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)


def test_drrn_has_a_frame_for_each_unit_inside_that_of_its_block():
    """Identity: U frames a block, which lie in the block's and do not overlap."""
    structure = trace(DRRN(2, 3, 2), TINY).without("normalisation", "activation")
    units = [set(frame.operations) for frame in unit_frames(structure)]
    assert len(units) == 2 * 3
    assert sum(map(len, units)) == len(set.union(*units))
    for b in range(2):
        assert sum(unit <= set(block_frame(structure, f"blocks.{b}").operations) for unit in units) == 3


@pytest.mark.parametrize("vertical", [False, True])
@pytest.mark.parametrize(
    "structure",
    [
        trace(DRRN(1, 2, 2), TINY),
        trace(DRCN(4, 2), TINY).without("activation"),
        trace(RLCSC(4, 2, 3), TINY).folded(),
        trace(DRN(4, 8, 2, 1, 2), RGB),
        trace(nn.Sequential(nn.Conv2d(1, 2, 1), Residual(2)), TINY),
    ],
    ids=["DRRN", "DRCN", "RL-CSC", "DRN", "ResNet"],
)
def test_every_operation_is_drawn_once_and_no_two_in_one_place(structure, vertical):
    """The drawing's own patches: a box or a circle with its text for each operation, none over another."""
    axes = figure(Drawing(structure, "title", frames=unit_frames(structure), vertical=vertical)).axes[0]
    boxes = [p for p in axes.patches if isinstance(p, plt.Rectangle) and p.get_linestyle() == "solid"]
    circles = [p for p in axes.patches if isinstance(p, plt.Circle) and p.radius > 0.1]
    assert len(boxes) + len(circles) == len(structure.operations)
    assert len(circles) == len(structure.of_kind("addition"))
    extents = [p.get_extents().transformed(axes.transData.inverted()) for p in (*boxes, *circles)]
    assert not any(a.overlaps(b) for k, a in enumerate(extents) for b in extents[:k])
    low, high = axes.viewLim.min, axes.viewLim.max
    assert all((e.min >= low).all() and (e.max <= high).all() for e in extents)
    plt.close(axes.figure)


def test_convolutions_have_one_colour_if_and_only_if_they_share_their_weights():
    """DRRN, Figure 2(d): "with light green or light red color" within the block; tensors that are used once are white."""
    structure = trace(DRRN(2, 2, 2), TINY)
    axes = figure(Drawing(structure)).axes[0]
    boxes = [p for p in axes.patches if isinstance(p, plt.Rectangle)]
    colours = {}
    for text in (text for text in axes.texts if text.get_text().startswith("conv")):
        box = next(p for p in boxes if p.get_center() == pytest.approx(text.get_position()))
        colours.setdefault(text.get_text(), set()).add(box.get_facecolor())
    assert len(colours) == len(structure.weights()) == 7
    assert all(len(found) == 1 for found in colours.values())
    shared = [found for found in map(set.pop, colours.values()) if found != (1.0, 1.0, 1.0, 1.0)]
    assert len(shared) == len(set(shared)) == 4
    plt.close(axes.figure)
