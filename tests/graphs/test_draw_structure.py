"""Frames and texts of structure figures: what they enclose and name is what was traced."""

import pytest
import torch

from srlib.errors import InputError
from srlib.graphs.draw_structure import block_frame, layer_frame, prediction_texts, unit_frames
from srlib.graphs.tracing import trace
from srlib.models.drcn import DRCN
from srlib.models.drrn import DRRN
from srlib.models.vdsr import VDSR

TINY = torch.zeros(1, 1, 4, 4)


def test_drrn_has_a_frame_for_each_unit_inside_that_of_its_block():
    """Identity: U frames a block, which lie in the block's and do not overlap."""
    structure = trace(DRRN(2, 3, 2), TINY).without("normalisation", "activation")
    units = [set(frame.operations) for frame in unit_frames(structure)]
    blocks = [set(block_frame(structure, f"blocks.{b}").operations) for b in range(2)]
    assert len(units) == 2 * 3
    assert sum(map(len, units)) == len(set.union(*units))
    assert [sum(unit <= block for unit in units) for block in blocks] == [3, 3]


def test_drcn_has_a_recursive_layer_and_as_many_predictions_as_recursions():
    """DRCN's Figure 2 (c) in DRRN: one layer runs T times, and each value is predicted from."""
    structure = trace(DRCN(4, 2), TINY)
    operations = layer_frame(structure).operations
    assert len(operations) == 4
    assert len({structure.operations[i].weight for i in operations}) == 1
    assert list(prediction_texts(structure).values()) == [f"$y_{t}$" for t in (1, 2, 3, 4)]


def test_a_network_without_sharing_has_no_recursive_layer():
    """VDSR: an error that says so, and no predictions but the output."""
    structure = trace(VDSR(4, 2), TINY)
    with pytest.raises(InputError, match="there is no recursive layer"):
        layer_frame(structure)
    assert prediction_texts(structure) == {}
