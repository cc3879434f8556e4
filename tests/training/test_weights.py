"""Weights from elsewhere: networks written by others, with their own names, compute the same once imported, or are refused."""

import argparse
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from srlib.cli.weights import import_weights_command
from srlib.errors import InputError
from srlib.models import VDSR
from srlib.papers import get_experiment
from srlib.training.checkpoint import load_tensors, load_weights, save_tensors

DRRN = "drrn_b1u3_w8"


def conv(n_in, n_out, bias=False, kernel=3):
    return nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2, bias=bias)


class ConvReLU(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = conv(width, width)

    def forward(self, x):
        return self.conv(x).relu()


class PublicVDSR(nn.Module):
    """As github.com/twtygqyy/pytorch-vdsr names it: the layers between first, no biases."""

    def __init__(self):
        super().__init__()
        self.residual_layer = nn.Sequential(*(ConvReLU(64) for _ in range(18)))
        self.input, self.output = conv(1, 64), conv(64, 1)

    def forward(self, x):
        return self.output(self.residual_layer(self.input(x).relu())) + x


class PublicRLCSC(nn.Module):
    """As a derivative of RL-CSC names it: `scn` of `W1`, `S` and `W2` before `input`, `advanced` and `output`."""

    def __init__(self, n=16, m=32):
        super().__init__()
        self.scn = nn.ModuleDict({"W1": conv(n, m), "S": conv(m, m), "W2": conv(m, n)})
        self.input, self.advanced, self.output = conv(1, n), conv(n, n), conv(n, 1)

    def forward(self, x):
        y = self.advanced(self.input(x).relu()).relu()
        c = self.scn["W1"](y)
        z = c.relu()
        for _ in range(25):
            z = (self.scn["S"](z) + c).relu()
        return self.output(self.scn["W2"](z).relu()) + x


class PublicDRRN(nn.Module):
    """DRRN with normalisation: units that share two convolutions, each with norms of its own, written unit by unit or not."""

    def __init__(self, U, by_unit, width=8):
        super().__init__()
        self.first, self.bn = conv(1, width), nn.BatchNorm2d(1)
        self.convs = nn.ModuleList(conv(width, width) for _ in range(2))
        self.by_unit = by_unit
        sizes = (U, 2) if by_unit else (2, U)
        self.bns = nn.ModuleList(nn.ModuleList(nn.BatchNorm2d(width) for _ in range(sizes[1])) for _ in range(sizes[0]))
        self.bn_last, self.last, self.U = nn.BatchNorm2d(width), conv(width, 1), U

    def forward(self, x):
        first = h = self.first(self.bn(x).relu())
        for u in range(self.U):
            for k, layer in enumerate(self.convs):
                h = layer((self.bns[u][k] if self.by_unit else self.bns[k][u])(h).relu())
            h = h + first
        return self.last(self.bn_last(h).relu()) + x


def drawn(model, seed=0):
    """A model with random weights, statistics of batch normalisation included, in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
            if tensor.dim() == 4:
                tensor.sub_(1).mul_((24 / tensor[0].numel()) ** 0.5)  # He's variance
            elif not name.endswith("running_var"):
                tensor.sub_(0.9)
    return model.eval()


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A function that imports a file; relative paths are in the test's own folder, which is the working directory."""
    monkeypatch.chdir(tmp_path)

    def imports(file, model, output="out.safetensors"):
        paths = {"file": tmp_path / file, "output": tmp_path / output}
        import_weights_command(argparse.Namespace(**paths, model=model))
        return load_weights(get_model(model), paths["output"], model).eval()

    return imports


def plain(capsys):
    """What was printed, with one space in place of several."""
    return SimpleNamespace(**{name: re.sub(" +", " ", text) for name, text in capsys.readouterr()._asdict().items()})


def get_model(name):
    return VDSR() if name == "vdsr" else get_experiment(name).make()


def equal(ours, theirs):
    """Whether both compute the same from a picture of noise."""
    x = torch.rand(1, 1, 12, 13, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        expected = theirs(x)
        assert (expected - x).abs().max() > 0.01
        return torch.allclose(ours(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "public"), [("vdsr", PublicVDSR), ("rlcsc_k25_w16", PublicRLCSC)])
@pytest.mark.parametrize("suffix", [".pth", ".npz", ".safetensors"])
def test_a_public_network_computes_the_same(name, public, suffix, run, tmp_path, capsys):
    """Witness: the other project's own forward pass. In the alphabet's order of .safetensors, too: 1, 10, 11, ..., 2."""
    theirs = drawn(public())
    state = theirs.state_dict()
    if suffix == ".npz":
        np.savez(tmp_path / "w.npz", **{key: t.numpy() for key, t in state.items()})
    elif suffix == ".pth":
        torch.save({"epoch": 80, "state_dict": {f"module.{key}": t for key, t in state.items()}}, tmp_path / "w.pth")
    else:
        save_file(state, tmp_path / "w.safetensors")
    ours = run(f"w{suffix}", name)
    assert equal(ours, theirs)
    printed = plain(capsys)
    if name == "vdsr":
        assert "residual_layer.10.conv.weight -> convs.11.weight (64, 64, 3, 3), by order" in printed.out
        assert "matched: 0 by name, 2 by shape, 18 by order" in printed.out
        assert "those of vdsr, 20, are 0" in printed.out
        assert "18 tensors were matched by their order alone" in printed.err
    else:
        assert "scn.S.weight -> S.weight (32, 32, 3, 3), by shape" in printed.out
        assert not printed.err
    tensors, metadata = load_tensors(tmp_path / "out.safetensors")
    assert metadata["imported"] is True
    assert metadata["experiment"] == name
    assert len(metadata["source_sha256"]) == 64
    assert {t.dtype for t in tensors.values()} == {torch.float32}


def test_keys_in_another_order_give_the_same_network(run, tmp_path):
    """Numbers in the names tell the order, not the accidents of a dictionary."""
    theirs = drawn(PublicVDSR())
    state = theirs.state_dict()
    torch.save({key: state[key] for key in sorted(state, reverse=True)}, tmp_path / "w.pth")
    assert equal(run("w.pth", "vdsr"), theirs)


def test_normalisation_is_matched_where_its_order_is_certain(run, tmp_path, capsys):
    """By unit, three of two, is not what ours is, two of three; two of two could be either. Witness: the forward pass."""
    theirs = drawn(PublicDRRN(3, by_unit=False))
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    assert equal(run("w.pth", DRRN), theirs)
    assert "bns.1.0.running_var -> blocks.0.norms_2.0.running_var" in plain(capsys).out
    state = {key.replace("bn_last", "tail_bn"): tensor for key, tensor in theirs.state_dict().items()}
    torch.save(state, tmp_path / "w.pth")
    assert equal(run("w.pth", DRRN), theirs)
    other = {re.sub(r"^bns\.(.)\.(.)", lambda m: f"bns.{m[1]}.{2 - int(m[2])}", key): t for key, t in state.items()}
    torch.save(other, tmp_path / "w.pth")  # 2, 1, 0: the numbers say another order than the file
    with pytest.raises(InputError, match="28 of its tensors and 28 of the network's have no partner"):
        run("w.pth", DRRN, "none.safetensors")
    save_file(state, tmp_path / "w.safetensors")  # the alphabet puts `bns` before `tail_bn`, but would do so in any network
    with pytest.raises(InputError, match="28 of its tensors and 28 of the network's have no partner"):
        run("w.safetensors", DRRN, "none.safetensors")
    capsys.readouterr()
    for name, U, by_unit in ((DRRN, 3, True), ("drrn_b1u2_w8", 2, True), ("drrn_b1u2_w8", 2, False)):
        torch.save(drawn(PublicDRRN(U, by_unit)).state_dict(), tmp_path / "w.pth")
        with pytest.raises(InputError, match="have no partner"):
            run("w.pth", name, "none.safetensors")
        assert "only in the file: bns.1.0.running_var  (8,), its place among those of its shape is not certain" in (
            capsys.readouterr().err
        )
    assert not (tmp_path / "none.safetensors").exists()


@pytest.mark.parametrize("hr_first", [False, True])
def test_dsrn_is_matched_where_its_groups_agree(hr_first, run, tmp_path, capsys):
    """Six convolutions and six PReLUs have one shape each: a file with other groups is refused. Witness: placed by hand."""
    name = "dsrn_t3_x2_w8"
    model = drawn(get_experiment(name).make())
    state = model.state_dict()
    links = {"down": "f_down.0", "up": "f_up.0"} if hr_first else {}
    places = {"feat.0": "input_1", "feat.2": "input_2"} | links
    places |= {f"{s}.conv{k}": f"f_{s}.0.conv_{k}" for s in ("lr", "hr") for k in (1, 2)}
    places |= {"up": "f_up.0", "down": "f_down.0", "out": "f_output"}
    file = {f"{a}.{kind}": state[f"{b}.{kind}"] for a, b in places.items() for kind in ("weight", "bias")}
    file |= {f"act_{s}.{t}.weight": state[f"normalise_{s}.{t}.prelu.weight"].reshape(1, 1, 1) for s in "lh" for t in range(3)}
    torch.save({"params": file}, tmp_path / "w.pth")
    if hr_first:
        with pytest.raises(InputError, match="12 of its tensors and 12 of the network's"):
            run("w.pth", name)
        assert "only in the file: up.weight  (8, 8, 3, 3), its place" in capsys.readouterr().err
        return
    ours = run("w.pth", name)
    assert all(torch.equal(ours.state_dict()[key], tensor) for key, tensor in state.items())


def test_drrn_without_normalisation_is_refused_by_name(run, tmp_path, capsys):
    """As github.com/jt827859032/DRRN-pytorch: four convolutions fit, the normalisations are missing, and nothing is written."""
    layers = {"input": conv(1, 8), "conv1": conv(8, 8), "conv2": conv(8, 8), "output": conv(8, 1)}
    torch.save(nn.ModuleDict(layers).state_dict(), tmp_path / "w.pth")
    with pytest.raises(InputError, match="0 of its tensors and 32 of the network's have no partner"):
        run("w.pth", DRRN)
    printed = plain(capsys)
    missing = re.findall(rf"only in {DRRN}: (\S+)\.(\w+) \(", printed.err)
    norms = ["blocks.0.norm", *(f"blocks.0.norms_{k}.{u}" for k in (1, 2) for u in range(3)), "norm"]
    assert missing == [(norm, kind) for norm in norms for kind in ("weight", "bias", "running_mean", "running_var")]
    assert "conv2.weight -> blocks.0.conv_2.weight (8, 8, 3, 3), by order" in printed.out
    assert not (tmp_path / "out.safetensors").exists()


def test_another_network_of_the_same_name_is_refused(run, tmp_path, capsys):
    """The DRN of github.com/guoyongcs/DRN is another paper's."""
    layers = {"sub_mean": conv(3, 3, True, 1), "head": conv(3, 16, True), "tail": nn.ModuleList([conv(16, 3, True)])}
    torch.save(nn.ModuleDict(layers).state_dict(), tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"w.pt does not fit drn_x2_w16: 2 of its tensors and \d+ of the network's"):
        run("w.pt", "drn_x2_w16")
    assert "only in the file: sub_mean.weight  (3, 3, 1, 1)\n" in capsys.readouterr().err


def test_one_layer_under_several_names_is_one(run, tmp_path, capsys):
    """A recursion that registers its convolution each time saves it each time; the repetitions must be equal."""
    theirs = drawn(PublicRLCSC())
    state = theirs.state_dict()
    state |= {f"scn.S_{k}.weight": state["scn.S.weight"].clone() for k in range(3)}
    torch.save(state, tmp_path / "w.pth")
    assert equal(run("w.pth", "rlcsc_k25_w16"), theirs)
    assert "the same again: scn.S_0.weight, scn.S_1.weight, scn.S_2.weight" in capsys.readouterr().out
    state["scn.S_2.weight"] += 1
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(InputError, match="4 of its tensors and 1 of the network's"):
        run("w.pth", "rlcsc_k25_w16")


def test_some_biases_do_not_stand_for_all(run, tmp_path):
    """Only where no convolution has a bias are they zero."""
    state = drawn(PublicVDSR()).state_dict() | {"output.bias": torch.ones(1)}
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(InputError, match="19 of its tensors and 38"):
        run("w.pth", "vdsr")


def test_layers_that_are_numbered_want_the_whole_sequence(run, tmp_path):
    """Numbers say nothing of groups, so all layers must have the shapes of the network's, one after the other."""
    state = drawn(get_model(DRRN)).state_dict()
    layers = list(dict.fromkeys(key.rpartition(".")[0] for key in state))
    for order in (layers, layers[1:] + layers[:1]):
        names = {key: f"{order.index(key.rpartition('.')[0])}.{key.rpartition('.')[2]}" for key in state}
        torch.save({f"features.{name}": state[key] for key, name in names.items()}, tmp_path / "w.pth")
        if order == layers:
            ours = run("w.pth", DRRN).state_dict()
            assert all(torch.equal(ours[key], tensor) for key, tensor in state.items() if "num_batches" not in key)
        else:
            torch.save({f"features.{names[k]}": state[k] for k in sorted(state, key=names.get)}, tmp_path / "w.pth")
            with pytest.raises(InputError, match="28 of its tensors and 28 of the network's have no partner"):
                run("w.pth", DRRN)


def test_a_file_without_names_is_matched_as_a_whole(run, tmp_path):
    """`np.savez(file, *tensors)` calls them `arr_0`, `arr_1`, ...; in another order nothing is sure."""
    state = drawn(get_model("dsrn_t3_x2_w8")).state_dict()
    np.savez(tmp_path / "w.npz", *(t.numpy() for t in state.values()))
    ours = run("w.npz", "dsrn_t3_x2_w8").state_dict()
    assert all(torch.equal(ours[key], tensor) for key, tensor in state.items())
    first, *others = (t.numpy() for t in state.values())
    np.savez(tmp_path / "w.npz", *others, first)
    with pytest.raises(InputError, match="have no partner"):
        run("w.npz", "dsrn_t3_x2_w8")


def test_vdsr_release_is_imported_as_it_is_loaded(reference, run, tmp_path):
    """`weight0..19` and `bias0..19`, the biases `(64, 1)`."""
    (tmp_path / "w.npz").write_bytes((reference / "vdsr_official.npz").read_bytes())
    direct = load_weights(VDSR(), tmp_path / "w.npz").state_dict()
    ours = run("w.npz", "vdsr").state_dict()
    assert all(torch.equal(ours[key], tensor) for key, tensor in direct.items())


def test_import_refuses_what_it_must_not_write(run, tmp_path):
    """The source through a link, another suffix, another's weights, no network."""
    save_tensors(tmp_path / "w.safetensors", get_model(DRRN).state_dict(), {"experiment": DRRN})
    content = (tmp_path / "w.safetensors").read_bytes()
    (tmp_path / "link.safetensors").symlink_to("w.safetensors")
    for file, model, output, said in (
        ("w.safetensors", DRRN, "w.safetensors", "would be replaced"),
        ("w.safetensors", DRRN, "link.safetensors", "would be replaced"),
        ("w.safetensors", DRRN, "out.pth", "another suffix than .safetensors"),
        ("w.safetensors", "drrn_b1u4_w8", "out.safetensors", f"holds {DRRN}, not drrn_b1u4_w8"),
        ("w.safetensors", "bicubic", "out.safetensors", "no network"),
        ("w.safetensors", "srgan", "out.safetensors", "'srgan' is unknown"),
        ("none.pth", DRRN, "out.safetensors", "does not exist"),
    ):
        with pytest.raises(InputError, match=said):
            run(file, model, output)
    assert (tmp_path / "w.safetensors").read_bytes() == content
    assert not (tmp_path / "out.safetensors").exists()


def test_import_refuses_what_is_not_finite(run, tmp_path):
    """One NaN is enough."""
    state = drawn(PublicRLCSC()).state_dict()
    state["scn.S.weight"][0, 0, 0, 0] = float("nan")
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(InputError, match="NaN or infinite"):
        run("w.pth", "rlcsc_k25_w16")
    assert not (tmp_path / "out.safetensors").exists()
