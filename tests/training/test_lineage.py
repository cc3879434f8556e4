"""Trainings that build on others: what is handed on, what is refused, what a line counts."""

import json
import re
import shutil
from dataclasses import replace

import pytest
import torch
from PIL import Image

from srlib.errors import InputError
from srlib.models import make_model
from srlib.papers import get_experiment
from srlib.records.record import find_records, pixels_seen, record_folder, training_fraction
from srlib.records.run import run_experiment, snapshots
from srlib.training.checkpoint import digest, load_weights
from srlib.training.lineage import ancestors_of, unroll
from srlib.training.patches import Sampler, make_patches
from srlib.training.step import Step

TINY = "drrn_b1u2_w4"


@pytest.fixture
def train(tmp_path):
    """A function that trains a tiny network for a few iterations below a folder and returns its record."""

    def trained(name=TINY, root="", **options):
        options = {"budget": 0.0005, "data": "SampleTrain", "device": "cpu", "progress": False} | options
        return run_experiment(get_experiment(name) if isinstance(name, str) else name, tmp_path / root, **options)

    return trained


def info(name=TINY, **changes):
    """What a finished record of an experiment says, as far as lines go."""
    experiment = get_experiment(name)
    base = {"kind": "training", "experiment": name, "model": experiment.model, "arguments": experiment.arguments}
    recipe = {"batch": 16, "patch": 31, "name": "fast"}
    return base | {"finished": True, "iterations_done": 10, "weights_sha256": "ab" * 32, "recipe": recipe} | changes


@pytest.mark.parametrize("name", ["drrn_b2u2_w4", "dsrn_t2_x2_w4", "rlcsc_k15_w4", "dsrn_div2k_single_state_x2_w4"])
@pytest.mark.parametrize("longer", [-1, 0, 3])
def test_unrolled_weights_are_the_same_weights(name, longer):
    """Identity: shared weights stay; each new unit has the last unit's normalisation; fewer units are the first ones."""
    experiment = get_experiment(name)
    torch.manual_seed(0)
    weights = {name: torch.randn(t.shape).to(t.dtype) for name, t in experiment.make().state_dict().items()}
    key = {"drrn": "U", "rlcsc": "K"}.get(experiment.model, "T")
    length = experiment.arguments.get(key, 7)
    further = make_model(experiment.model, experiment.arguments | {key: length + longer})
    unrolled = unroll(weights, further)
    further.load_state_dict(unrolled)
    assert all(torch.equal(unrolled[name], weights[name]) for name in unrolled.keys() & weights.keys())
    new, left_out = unrolled.keys() - weights.keys(), weights.keys() - unrolled.keys()
    own = experiment.model != "rlcsc"  # which normalises nothing
    assert (bool(new), bool(left_out)) == (own and longer > 0, own and longer < 0)
    for name in new:
        before, number, after = re.fullmatch(r"(.*norm.*\.)(\d+)(\..*)", name).groups()
        assert length <= int(number) < length + longer
        assert torch.equal(unrolled[name], weights[f"{before}{length - 1}{after}"])


def test_a_cycle_starts_from_the_average_of_the_one_before(train, monkeypatch):
    """Identity: when its first step is made, network and average are what the record keeps of its parent's average."""
    first, seen = train(), []
    real = Step.__init__

    def note(self, state, *args, **options):
        seen.extend(digest(model.state_dict()) for model in (state.model, state.ema_model))
        real(self, state, *args, **options)

    monkeypatch.setattr(Step, "__init__", note)
    train(start_from=first.folder)
    kept = load_weights(get_experiment(TINY).make(), first.folder / "weights.safetensors")
    assert seen == 2 * [digest(kept.state_dict())]


def test_a_cycle_that_was_stopped_ends_in_the_same_bits(train):
    """Identity: one iteration, a stop, the rest equal all at once; its order of patches is a function of seed and cycle."""
    first = train()
    assert not train(start_from=first.folder, minutes=0).info["finished"]
    stopped, whole = train(start_from=first.folder), train(start_from=first.folder, root="other")
    assert stopped.info["weights_sha256"] == whole.info["weights_sha256"]


def test_the_record_names_its_ancestors_and_counts_the_line(train):
    """Arithmetic: three runs of ten iterations of 4 patches of 62 x 62 are 30 x 4 x 3,844 pixels of the published training."""
    first = train()
    second = train(start_from=first.folder)
    third = train("drrn_b1u4_w4", start_from=second.folder)
    assert second.folder.name == f"seed0_fast_0.0005_from_{first.info['weights_sha256'][:8]}"
    assert [a["weights_sha256"] for a in third.info["ancestors"]] == [r.info["weights_sha256"] for r in (first, second)]
    assert pixels_seen(third.info) == 30 * 4 * 62**2
    assert training_fraction(third) == pytest.approx(30 * 4 * 62**2 / (464_056 * 128 * 31**2))
    assert train(start_from=first.folder).info == second.info  # given again, it is found


def test_each_cycle_sees_its_patches_in_an_order_of_its_own(photo):
    """Behaviour: the order depends on seed and cycle; the first cycle's is that of a run that builds on nothing."""
    recipe = replace(get_experiment(TINY).recipe("fast"), batch=8)
    patches = make_patches([("cat", photo)], recipe)

    def order(number, *cycle):
        sampler = Sampler(patches, 8, recipe.transforms, 3, *cycle)
        sampler.seek(number * sampler.iterations)
        return tuple(sampler.order.tolist())

    assert len({order(number, cycle) for cycle in range(3) for number in range(3)}) == 9
    assert order(0) == order(0, 0)


@pytest.mark.parametrize(
    ("parent", "child", "said"),
    [
        (info("rlcsc_k15_w4"), TINY, "drrn_b1u2_w4 cannot start from rlcsc_k15_w4: its network is drrn, not rlcsc"),
        (info("drrn_b1u2_w8"), TINY, r"it has {'width': 4}, the record {'width': 8}. Only U may differ"),
        (info("drrn_b2u2_w4"), TINY, r"it has {'B': 1}, the record {'B': 2}"),
        (info("dsrn_t7_x3"), "dsrn_t7_x2", r"it has {'scale': 2}, the record {'scale': 3}. Only T may differ"),
        (info("drn_x3"), "drn_x2", r"it has {'scale': 2}, the record {'scale': 3}.$"),
        (info("drrn_ns_b3u2"), "drrn_ns_b3u3", r"it has {'U': 3}, the record {'U': 2}.$"),
        (info(finished=False), TINY, "is not a finished training"),
        (info(kind="baseline"), TINY, "is not a finished training"),
    ],
)
def test_what_cannot_be_started_from_is_refused_in_one_sentence(parent, child, said):
    """Another paper's network, other widths, untied units, an unfinished record."""
    with pytest.raises(InputError, match=said):
        ancestors_of(parent, get_experiment(child))


def test_other_data_and_damaged_or_missing_ancestors_are_refused(train, tmp_path, photo):
    """A record of a stand-in's training is no start for one on the real data; and nothing is written."""
    first = train()
    (tmp_path / "images").mkdir()
    Image.fromarray(photo).save(tmp_path / "images" / "cat.png")
    with pytest.raises(InputError, match="was trained on SampleTrain, not on"):
        train(start_from=first.folder, data=str(tmp_path / "images"))
    weights = first.folder / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(InputError, match=r"weights.safetensors is damaged"):
        train(start_from=first.folder)
    with pytest.raises(InputError, match=r"record.json is missing or damaged"):
        train(start_from=tmp_path / "nowhere")
    assert len(find_records(tmp_path)) == 0


def test_what_cannot_be_kept_is_said(train):
    """`drn_x3_epoch100` has a schedule of its own, and so has its narrow form; a finished run is not run again."""
    with pytest.raises(InputError, match="epoch 100 cannot be kept: drn_x3_epoch100 is an experiment of its own"):
        train("drn_x3_w16", keep=(100,))
    train()
    with pytest.raises(InputError, match="is finished, and nothing was kept on its way"):
        train(keep=(5,))


def test_kept_epochs_become_records_that_the_claims_name(train, tmp_path):
    """Behaviour: `--keep 1,5` of a narrow RL-CSC leaves records of `rlcsc_k15_epoch1_w4` and `rlcsc_k15_epoch5_w4`."""
    record = train("rlcsc_k15_w4", budget=0.003, keep=(1, 5))
    kept = {r.info["experiment"]: r for r in find_records(tmp_path)}
    assert kept.keys() == {"rlcsc_k15_w4", "rlcsc_k15_epoch1_w4", "rlcsc_k15_epoch5_w4"}
    fifth = kept["rlcsc_k15_epoch5_w4"]
    assert fifth.info["iterations_done"] == round(36 * 5 / 35)
    assert fifth.info["snapshot_of"] == "rlcsc_k15_w4"
    assert fifth.folder == record_folder(get_experiment("rlcsc_k15_epoch5_w4"), 0, budget=0.003, root=tmp_path)
    # Of the paper's first five epochs, too, so much has been seen.
    assert training_fraction(fifth) == pytest.approx(training_fraction(record) * 35 / 36)
    fifth.model()  # checked against its record
    assert fifth.curve.iteration.max() <= 5
    assert not list(record.folder.glob("weights_*"))
    # A snapshot's record that a kill prevented is made up for.
    shutil.move(fifth.folder / "weights.safetensors", record.folder / "weights_epoch5.safetensors")
    (fifth.folder / "record.json").unlink()
    train("rlcsc_k15_w4", budget=0.003, keep=(1, 5))
    assert snapshots(record)["epoch5"].model()


def test_a_run_that_diverges_leaves_a_record_that_says_so(train, tmp_path):
    """And no weights, for NaN never reaches a file; `finished` is false."""
    tiny = get_experiment(TINY)
    wild = replace(tiny, recipes=(replace(tiny.recipe("fast"), lr=1e30, adam_lr=1e30, clip=0.0),))
    with pytest.raises(InputError, match=r"diverged by iteration \d+ \(loss "):
        train(wild, budget=0.005)
    (record,) = find_records(tmp_path)
    assert "diverged by iteration" in record.info["diverged"]
    assert not record.info["finished"]
    assert not (record.folder / "weights.safetensors").exists()
    json.dumps(record.info)
