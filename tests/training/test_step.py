"""One iteration: against torch's own textbook loop, in every mode, and without asking the device for anything."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_muon import SMALL as NETWORKS
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from srlib.errors import InputError
from srlib.inference.enlarge import as_method
from srlib.papers import EXPERIMENTS, drrn
from srlib.protocol import PROTOCOLS
from srlib.training.devices import choose_precision, has_bf16
from srlib.training.patches import Sampler, make_patches
from srlib.training.recipe import Experiment
from srlib.training.state import start
from srlib.training.step import Step

SGD = replace(drrn.PUBLISHED, batch=8, scales=(3,), iterations=40, decay_every=10)
MUON = replace(drrn.FAST, batch=8, scales=(3,), iterations=40, first_shift=0.0)  # most networks have nothing to shift
ADAM = replace(MUON, optimiser="adam", lr=1e-3, adam_lr=0.0)
SMALL = NETWORKS | {"vdsr": {"depth": 4, "width": 8}}  # without normalisation, before which a bias has no gradient but noise


def make(model, recipe, photo, **options):
    """A state, its patches and its step."""
    experiment = Experiment("small", "drrn", model, SMALL[model], recipes=(recipe,))
    state = start(experiment, recipe, 0, "cpu")
    if "lr" in state.model.domain.split("+"):
        recipe = replace(recipe, patch=24, stride=12)
    degradation = "rgb_floaty" if state.model.colour == "rgb" else "drrn"
    patches = make_patches([("cat", photo)], recipe, state.model.domain, state.model.colour, degradation)
    return state, patches, Step(state, patches, recipe, recipe.iterations, 0, **options)


CLIPPED = replace(SGD, clip_by="value", clip_over_lr=False, clip=0.001, pixel_mean=True)
ABSOLUTE = replace(ADAM, loss="absolute", loss_factor=1.0, pixel_mean=True)


@pytest.mark.parametrize("recipe", [SGD, ADAM, MUON, CLIPPED, ABSOLUTE], ids=["sgd", "adam", "muon", "clipped", "absolute"])
def test_a_step_is_the_textbooks(photo, recipe):
    """Witness: torch's losses, clipping and plain optimisers in a loop as the tutorials write it."""
    state, patches, step = make("vdsr", recipe, photo)
    other = start(Experiment("small", "drrn", "vdsr", SMALL["vdsr"]), recipe, 0, "cpu").model
    biases = [m.bias for m in other.modules() if isinstance(m, nn.Conv2d)]
    inner = [conv.weight for conv in other.convs[1:-1]] if recipe.optimiser == "muon" else []
    matrices = [nn.Parameter(w.detach().permute(0, 2, 3, 1).view(len(w), -1)) for w in inner]  # in the weights' own memory
    muon = torch.optim.Muon(matrices, lr=1, weight_decay=0.0) if inner else None
    others = [p for p in other.parameters() if all(p is not q for q in biases + inner)]
    groups = [{"params": others}, {"params": biases}]
    if recipe.optimiser == "sgd":
        optimiser = torch.optim.SGD(groups, lr=1, momentum=0.9, weight_decay=1e-4, foreach=False)
    else:
        optimiser = torch.optim.AdamW(groups, lr=1, weight_decay=0.0, foreach=False)
    sampler = Sampler(patches, recipe.batch, recipe.transforms, 0)
    for k in range(3 if muon else 30):  # Muon orthogonalises in bf16, where the last bits of a gradient can turn one of its own
        step()
        rate = recipe.lr_at(k, recipe.iterations)
        sampler.seek(k)
        inputs, hr = sampler.draw(torch.tensor(k))
        distance = nn.functional.mse_loss if recipe.loss == "squared" else nn.functional.l1_loss
        loss = distance(other(inputs["ilr"]), hr, reduction="mean" if recipe.pixel_mean else "sum")
        other.zero_grad()
        (loss * recipe.loss_factor / (1 if recipe.pixel_mean else len(hr))).backward()
        if recipe.clip_by == "value":
            nn.utils.clip_grad_value_(other.parameters(), recipe.clip)
        else:
            nn.utils.clip_grad_norm_(other.parameters(), recipe.clip / (rate if recipe.clip_over_lr else 1))
        adams = rate * recipe.adam_lr / recipe.lr if muon else rate
        optimiser.param_groups[0]["lr"], optimiser.param_groups[1]["lr"] = adams, adams * recipe.bias_lr
        optimiser.step()
        if muon:
            muon.param_groups[0]["lr"] = rate
            for weight, matrix in zip(inner, matrices, strict=True):
                matrix.grad = weight.grad.permute(0, 2, 3, 1).reshape(len(weight), -1)
            muon.step()
    torch.testing.assert_close(list(state.model.parameters()), list(other.parameters()), rtol=1e-3, atol=1e-4)


class Forbid(TorchDispatchMode):
    """Fails where a value is read back from the device, which no CUDA graph can do."""

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        assert function not in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default), "a value is read"
        return function(*arguments, **(named or {}))


@pytest.mark.parametrize("recipe", [SGD, ADAM, MUON], ids=lambda r: r.optimiser)
def test_a_step_reads_nothing_back(photo, recipe, monkeypatch):
    """What a CUDA graph needs, seen on the CPU: every operation but SGD's and AdamW's own, which torch tests."""
    _, _, step = make("drrn", recipe, photo)
    step()
    monkeypatch.setattr(step.state.optimiser, "step", lambda: None)
    step.sampler.seek(1)
    with Forbid():
        step._iteration()
    with pytest.raises(AssertionError, match="a value is read"), Forbid():
        torch.ones(1).item()


@pytest.mark.parametrize("recipe", [ADAM, MUON], ids=lambda r: r.optimiser)
def test_half_precision_trains_weights_in_fp32(photo, recipe):
    """Behaviour: the same first steps within bf16's rounding, and other ones; weights, gradients and averages stay fp32."""
    state, _, step = make("drrn", recipe, photo, precision="bf16")
    _, _, reference = make("drrn", recipe, photo)
    losses = [(step().item(), reference().item()) for _ in range(5)]
    tensors = [*state.model.parameters(), *(p.grad for p in state.model.parameters()), *state.ema_model.parameters()]
    assert {t.dtype for t in tensors} == {torch.float32}
    assert losses == [(pytest.approx(b, rel=0.02), b) for _, b in losses]
    assert any(a != b for a, b in losses)


def test_the_input_shift_is_in_the_network_from_the_start_and_in_its_average():
    """By hand: beta of the image's normalisation, and nothing else; `published` recipes and `first` have none."""
    for model, norm in (("drrn", "blocks.0.norm.bias"), ("vdsr", "norms.0.bias")):
        experiment = Experiment("small", "drrn", model, SMALL[model] | ({"bn": True} if model == "vdsr" else {}))
        shifted, plain = (start(experiment, replace(MUON, first_shift=beta), 0, "cpu") for beta in (3.0, 0.0))
        for ours, theirs in ((shifted.model, plain.model), (shifted.ema_model, plain.ema_model)):
            ours, theirs = ours.state_dict(), theirs.state_dict()
            assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == [norm]
            assert ours[norm].tolist() == [3.0]
    for experiment in EXPERIMENTS.values():
        for recipe in experiment.recipes:
            assert (recipe.first_shift == 3.0) == (experiment.paper == "drrn" and recipe.name not in ("published", "first"))


@pytest.mark.parametrize("model", [name for name in SMALL if name != "drrn"])
def test_what_does_not_normalise_its_input_has_nothing_to_shift(model):
    """The sentence says what to do."""
    said = r"^\w+ does not normalise its input, so a first_shift has nothing to shift: leave it 0\.$"
    with pytest.raises(InputError, match=said):
        start(Experiment("small", "drrn", model, SMALL[model]), replace(MUON, first_shift=3.0), 0, "cpu")


@pytest.mark.parametrize(
    ("device", "multiplies", "chosen"), [("cpu", False, "fp32"), ("cpu", True, "bf16"), ("cuda", False, "bf16")]
)
def test_auto_precision_is_what_the_device_multiplies_in(device, multiplies, chosen, monkeypatch):
    """By hand: fp32 on a processor without bf16; a GPU is not asked about the processor."""
    monkeypatch.setattr("srlib.training.devices.has_bf16", lambda: multiplies)
    assert choose_precision(device) == chosen


def test_a_processor_that_multiplies_in_bf16_says_so():
    """Witness: Linux's list of the processor's features."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        pytest.skip("there is no /proc/cpuinfo")
    assert has_bf16() == bool({"avx512_bf16", "amx_tile"} & set(cpuinfo.read_text().split()))


def test_drcn_learns_from_its_intermediate_predictions(photo):
    """Identity: at the first iteration the loss is the mean of the predictions' own, at the last the output's."""
    recipe = replace(ADAM, supervision=1.0, iterations=40)
    state, _, step = make("drcn", recipe, photo)
    step.sampler.seek(0)
    inputs, hr = step.sampler.draw(step.iteration)
    with torch.no_grad():
        each = [((y - hr).square().sum() / 16).item() for y in state.model.predictions(inputs["ilr"])]
        whole = ((state.model.predict(None, inputs["ilr"]) - hr).square().sum() / 16).item()
    assert step._loss(inputs, hr).item() == pytest.approx(sum(each) / 3, rel=1e-5)
    step.iteration.fill_(40)
    assert step._loss(inputs, hr).item() == pytest.approx(whole, rel=1e-5)


def test_an_average_without_decay_is_the_network(photo):
    """Identity: recipes without a moving average keep the last weights."""
    state, _, step = make("drrn", SGD, photo)
    for _ in range(3):
        step()
    weights, averages = state.model.state_dict(), state.ema_model.state_dict()
    assert all(torch.equal(t, averages[name]) for name, t in weights.items() if t.is_floating_point())


@pytest.mark.parametrize("model", SMALL)
def test_validation_does_not_move_the_weights(photo, model):
    """What a captured graph relies on: scoring leaves every tensor where it is in memory."""
    state, _, _ = make(model, ADAM, photo)
    before = {name: tensor.data_ptr() for name, tensor in state.ema_model.state_dict().items()}
    protocol = PROTOCOLS["rgb_floaty" if state.model.colour == "rgb" else "drrn"]
    protocol.evaluate(photo, 3, as_method(state.ema_model), ("psnr",))
    assert {name: tensor.data_ptr() for name, tensor in state.ema_model.state_dict().items()} == before
