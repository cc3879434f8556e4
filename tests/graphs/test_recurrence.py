"""The recurrent view of DSRN's Sections 3 and 4: graphs against the model files, and against the papers' arithmetic."""

from collections import Counter
from itertools import combinations

import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from srlib.errors import InputError
from srlib.graphs.draw_recurrence import draw_folded, draw_functions, draw_unrolled, equations
from srlib.graphs.recurrence import (
    FIRST,
    Link,
    Recurrence,
    State,
    Unrolled,
    depth,
    drcn,
    drrn,
    dsrn,
    resnet,
    single_state,
    unroll,
)
from srlib.models import params
from srlib.models.drcn import DRCN
from srlib.models.drrn import DRRN
from srlib.models.dsrn import DSRN, Residual, SingleState

WIDTH = 6


def stirred(model: nn.Module) -> nn.Module:
    """The model with random weights, biases, slopes, ensemble weights and running statistics, for scoring."""
    torch.manual_seed(0)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 1.5)
    return model.eval()


def plain_resnet(T: int, shared: bool) -> nn.Sequential:
    """A ResNet in its simplest form: one convolution, T residual blocks, one convolution."""
    block = Residual(WIDTH)
    blocks = [block if shared else Residual(WIDTH) for _ in range(T)]
    return stirred(nn.Sequential(nn.Conv2d(1, WIDTH, 3, padding=1), *blocks, nn.Conv2d(WIDTH, 1, 3, padding=1)))


def equal(actual: torch.Tensor, wanted: torch.Tensor) -> None:
    """To the bit."""
    torch.testing.assert_close(actual, wanted, rtol=0, atol=0)


@pytest.fixture
def x() -> torch.Tensor:
    """A random image whose sides differ."""
    torch.manual_seed(1)
    return torch.rand(2, 1, 7, 9)


@torch.no_grad()
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("T", [1, 2, 5])
def test_a_resnet_is_a_single_state_network(x, T, shared):
    """Witness: the sequence of blocks itself, tied ("with shared weights") and untied; every residual block is a state."""
    network = plain_resnet(T, shared)
    graph = resnet(network)
    equal(Unrolled(graph)(x), network(x))
    states = unroll(graph, x)
    for t in range(T + 1):
        equal(states[t]["s"], network[: t + 1](x))
    assert params(Unrolled(graph)) == params(network)
    assert len(graph.links[1].f) == (1 if shared else T)


@torch.no_grad()
@pytest.mark.parametrize("T", [1, 3, 16])
def test_drcn_is_a_single_state_network(x, T):
    """Witness: the model file, with ensemble weights that do not sum to one."""
    model = stirred(DRCN(T, WIDTH))
    graph = drcn(model)
    equal(Unrolled(graph)(x, x), model(x))
    for states, y in zip(unroll(graph, x)[1:], model.predictions(x), strict=True):
        equal(states["y"] + x, y)


@torch.no_grad()
@pytest.mark.parametrize("flags", [{}, {"shared": False}, {"multi_path": False}, {"shared": False, "multi_path": False}])
@pytest.mark.parametrize(("B", "U"), [(1, 1), (1, 4), (3, 2)])
def test_drrn_is_a_single_state_network_for_each_block(x, B, U, flags):
    """Witness: the model file, with random statistics, DRRN and its ablations NS, C, NS_C; the skip is a link from s^0."""
    model = stirred(DRRN(B, U, WIDTH, **flags))
    graph = drrn(model)
    equal(Unrolled(graph)(x, x), model(x))
    assert params(Unrolled(graph)) == params(model)
    skips = {link.delay for link in graph.links if link.name == "skip"}
    assert skips == {1 if "multi_path" in flags else FIRST}


@torch.no_grad()
@pytest.mark.parametrize("B", [1, 2])
def test_drrns_skip_is_an_input_at_every_step(x, B):
    """Identity: s^t = f_input(x) + F(s^{t-1}) with f_input = f_b is Eq. 1 with nothing added to it, and DRRN to the bit."""
    model = stirred(DRRN(B, 3, WIDTH))
    graph = drrn(model, as_input=True)
    assert {link.delay for link in graph.links if link.source == "s" and link.target == "s"} == {1}
    equal(Unrolled(graph)(x, x), model(x))


@torch.no_grad()
@pytest.mark.parametrize("flags", [{}, {"shared": False}, {"feedback": False}, {"normalise": "prelu_gain"}])
@pytest.mark.parametrize(("scale", "T"), [(2, 1), (2, 4), (3, 2), (4, 3)])
def test_dsrn_is_a_dual_state_network(x, scale, T, flags):
    """Witness: the model file: every HR state and the last prediction to the bit; the mean of predictions up to rounding."""
    model = stirred(DSRN(scale, T, WIDTH, **flags))
    ilr = torch.rand(2, 1, 7 * scale, 9 * scale)
    graph = dsrn(model)
    for states, s_h in zip(unroll(graph, x)[1:], model.states(x), strict=True):
        equal(states["s_h"], s_h)
    torch.testing.assert_close(Unrolled(graph)(x, ilr), model(x, ilr))
    model.average = False
    equal(Unrolled(dsrn(model))(x, ilr), model(x, ilr))
    assert params(Unrolled(graph)) == params(model)


@torch.no_grad()
def test_the_single_state_baseline_is_one(x):
    """Witness: the model file, up to rounding."""
    model = stirred(SingleState(4, WIDTH))
    torch.testing.assert_close(Unrolled(single_state(model))(x, x), model(x))


@torch.no_grad()
def test_dsrn_is_equation_2_written_out(x):
    """Identity: Eqs. 2 to 4 by hand for T = 3, without the model file's loop."""
    m = stirred(DSRN(2, 3, WIDTH))
    lr, hr, up, down = m.f_lr[0], m.f_hr[0], m.f_up[0], m.f_down[0]
    l_0 = torch.relu(m.input_2(torch.relu(m.input_1(x))))
    l_1 = m.normalise_l[0](lr(l_0))
    h_1 = m.normalise_h[0](up(l_1))
    l_2 = m.normalise_l[1](lr(l_1) + down(h_1))
    h_2 = m.normalise_h[1](up(l_2) + hr(h_1))
    l_3 = m.normalise_l[2](lr(l_2) + down(h_2))
    h_3 = m.normalise_h[2](up(l_3) + hr(h_2))
    states = unroll(dsrn(m), x)
    assert states[0]["s_h"] is None  # s_h^0 = 0
    for t, (s_l, s_h) in enumerate([(l_1, h_1), (l_2, h_2), (l_3, h_3)], start=1):
        torch.testing.assert_close(states[t]["s_l"], s_l)
        torch.testing.assert_close(states[t]["s_h"], s_h)
        torch.testing.assert_close(states[t]["y"], m.f_output(s_h))


@torch.no_grad()
def test_the_mean_prediction_is_the_prediction_of_the_mean_state(x):
    """Eq. 5, f_output being linear with a bias: one convolution does what T would."""
    model = stirred(DSRN(2, 5, WIDTH))
    states = unroll(dsrn(model), x)[1:]
    mean_of_predictions = torch.stack([s["y"] for s in states]).mean(0)
    torch.testing.assert_close(mean_of_predictions, model.f_output(torch.stack([s["s_h"] for s in states]).mean(0)))


@torch.no_grad()
def test_without_f_down_there_is_no_feedback(x):
    """Identity: a graph with one link less is the model file's ablation with the same weights."""
    model, ablated = stirred(DSRN(2, 4, WIDTH)), DSRN(2, 4, WIDTH, feedback=False)
    ablated.load_state_dict({k: v for k, v in model.state_dict().items() if not k.startswith("f_down")})
    ilr = torch.rand(2, 1, 14, 18)
    torch.testing.assert_close(Unrolled(dsrn(model).without("f_down"))(x, ilr), ablated(x, ilr))
    assert not torch.allclose(Unrolled(dsrn(model))(x, ilr), ablated(x, ilr))
    with pytest.raises(InputError, match="no link 'f_left': choose one of f_up, f_hr"):
        dsrn(model).without("f_left")


def test_depths_are_the_papers():
    """Witness: DSRN's 2T + 4 (Section 5.3), 20 layers of DRCN at T = 16, Eq. 7 of DRRN; counted along the graph."""
    for T in (1, 2, 7):
        for flags in ({}, {"feedback": False}, {"shared": False}, {"average": False}):
            model = DSRN(3, T, WIDTH, **flags)
            assert depth(dsrn(model)) == model.depth == 2 * T + 4
        assert depth(single_state(SingleState(T, WIDTH))) == SingleState(T, WIDTH).depth == 2 * T + 3
    assert depth(drcn(DRCN(16, WIDTH))) == DRCN(16, WIDTH).depth == 20
    for U in (1, 9, 25):
        assert depth(drrn(DRRN(1, U, WIDTH))) == DRRN(1, U, WIDTH).depth == 2 * U + 2
    assert depth(drrn(DRRN(3, 2, WIDTH))) == DRRN(3, 2, WIDTH).depth == 16
    assert depth(dsrn(DSRN(2, 7, WIDTH)), T=3) == 10


@torch.no_grad()
def test_shared_functions_unroll_to_any_length_and_own_ones_do_not(x):
    """A ResNet with shared weights runs as long as one likes; where steps have functions of their own, they end."""
    graph = resnet(plain_resnet(2, shared=True))
    assert len(unroll(graph, x, T=9)) == 10
    with pytest.raises(InputError, match="T is 3: choose 1 step or more, at most 2 of them"):
        unroll(resnet(plain_resnet(2, shared=False)), x, T=3)
    with pytest.raises(InputError, match=r"T is 0: choose 1 step or more\."):
        unroll(graph, x, T=0)
    with pytest.raises(InputError, match="nothing recurs"):
        drrn(DRRN(2, 0, WIDTH))


@torch.no_grad()
def test_delays_are_what_they_say(x):
    """By hand: two states that add up 1s, s^t through the step before, u^t within the step, v^t from the first step."""
    one = [nn.Identity()]
    states = (State("s", nn.Identity()), State("u"), State("v"))
    links = (
        Link("s", "s", one, 1, "double"),
        Link("s", "s", one, 1, "double again"),
        Link("s", "u", one, 0, "now"),
        Link("s", "v", one, FIRST, "first"),
        Link("u", "y", one, 0, "f_output"),
    )
    found = unroll(Recurrence(states, links, "last", 3), torch.ones(1))
    assert [int(s["s"]) for s in found] == [1, 2, 4, 8]
    assert [int(s["u"]) for s in found[1:]] == [2, 4, 8]
    assert [int(s["v"]) for s in found[1:]] == [1, 1, 1]
    assert found[0]["u"] is None


def test_graphs_that_cannot_be_computed_are_refused():
    """One sentence, naming the link or the states."""
    one = [nn.Identity()]
    a, b = State("a", nn.Identity()), State("b")
    there, back = Link("a", "b", one, 0, "there"), Link("b", "a", one, 0, "back")
    out = Link("b", "y", one, 0, "out")
    with pytest.raises(InputError, match=r"No step can begin, as (a -> b -> a|b -> a -> b) has no delay: give one"):
        Recurrence((a, b), (there, back, out), "last", 1)
    Recurrence((a, State("b", nn.Identity())), (there, Link("b", "a", one, 1, "back"), out), "last", 1)
    with pytest.raises(InputError, match=r"Link there goes from 'a' to 'b': the states are x, a, y\."):
        Recurrence((a,), (there,), "last", 1)
    with pytest.raises(InputError, match="Link back has the delay 2: choose 0, 1 or FIRST"):
        Recurrence((a, b), (there, Link("b", "a", one, 2, "back"), out), "last", 1)
    with pytest.raises(InputError, match="called a, a: give each a name of its own"):
        Recurrence((a, a), (out,), "last", 1)
    with pytest.raises(InputError, match="cannot be combined by 'median'"):
        Recurrence((a, b), (there, out), "median", 1)
    with pytest.raises(InputError, match="Nothing reaches the output y"):
        Recurrence((a, b), (out,), "last", 1)


def test_a_graph_learns_through_all_its_links(x):
    """Identity: no weight of the unrolled network without a gradient."""
    model = DSRN(2, 3, WIDTH)
    network = Unrolled(dsrn(model))
    network(x, torch.zeros(2, 1, 14, 18)).square().sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    assert {id(p) for p in network.parameters()} == {id(p) for p in model.parameters()}


def texts(figure) -> list:
    """All texts drawn, none of which may lie on another."""
    found = [text for text in figure.axes[0].texts if text.get_text()]
    boxes = [(text.get_text(), text.get_window_extent(figure.canvas.get_renderer())) for text in found]
    assert [(a, b) for (a, box), (b, other) in combinations(boxes, 2) if box.overlaps(other)] == []
    plt.close(figure)
    return [text for text, _ in boxes]


def test_drawings_have_every_arrow_once():
    """By hand from Figures 1 and 2: how often each function occurs in 3 steps, s_h^0 being absent; and the folded graphs."""
    graph = dsrn(DSRN(2, 3, WIDTH))
    names = {name: rf"$f_{{\mathrm{{{name}}}}}$" for name in ("lr", "hr", "up", "down", "output")}
    drawn = Counter(texts(draw_unrolled(graph, 3)))
    assert {name: drawn[text] for name, text in names.items()} == {"lr": 3, "hr": 2, "up": 3, "down": 2, "output": 3}
    assert [drawn[f"$s_{{h}}^{{{t}}}$"] for t in range(4)] == [0, 1, 1, 1]
    folded = texts(draw_folded(graph))
    assert {names[link.name.removeprefix("f_")] for link in graph.links if link.f} < set(folded)
    untied = texts(draw_unrolled(dsrn(DSRN(2, 3, WIDTH, shared=False)), 3))
    assert {rf"$f_{{\mathrm{{lr}}}}^{{{t}}}$" for t in (1, 2, 3)} < set(untied)
    graph = drrn(DRRN(1, 3, WIDTH))
    assert Counter(texts(draw_unrolled(graph, 3)))["skip"] == 3
    assert Counter(texts(draw_functions({"DRRN": (graph, "f_recurrent")})))["BN$^t$"] == 2


def test_equations_are_read_off_the_graph():
    """Eqs. 2 to 5 in LaTeX, and DRRN's s^0."""
    found = equations(dsrn(DSRN(2, 3, WIDTH)))
    assert r"f_{\mathrm{up}}(s_{l}^{t}) + f_{\mathrm{hr}}(s_{h}^{t-1})" in found
    assert (
        r"\underbrace{f_{\mathrm{input}}(x^{t})}_{=0} + f_{\mathrm{lr}}(s_{l}^{t-1}) + f_{\mathrm{down}}(s_{h}^{t-1})" in found
    )
    assert r"\hat{y} &= \frac{1}{T} \sum_{t=1}^{T} y^{t}" in found
    assert r"f_{\mathrm{recurrent}}(s^{t-1}) + s^{0} \\" in equations(drrn(DRRN(1, 3, WIDTH)))
