"""The recurrent view of DSRN's Sections 3 and 4: graphs against the model files, and against the papers' drawings."""

import copy
from collections import Counter
from dataclasses import replace
from itertools import combinations

import matplotlib.pyplot as plt
import pytest
import torch
from small_networks import SMALL, images
from torch import nn

from srlib.errors import InputError
from srlib.graphs import recurrence
from srlib.graphs.draw_recurrence import draw_folded, draw_functions, draw_unrolled, equations
from srlib.graphs.recurrence import FIRST, Link, Recurrence, State, Unrolled, depth, drrn, dsrn, resnet, unroll
from srlib.models import DRCN, DRRN, DSRN, SingleState
from srlib.models.dsrn import Residual

GRAPHS = {DRCN: recurrence.drcn, DRRN: drrn, DSRN: dsrn, SingleState: recurrence.single_state}
RECURRENT = {name: model for name, model in SMALL.items() if type(model) in GRAPHS and name != "drrn_u0"}
RECURRENT |= {"drcn_t1": DRCN(1, 4), "drrn_u1": DRRN(1, 1, 4), "dsrn_t1": DSRN(2, 1, 4), "dsrn_x3_t4": DSRN(3, 4, 4)}
RECURRENT |= {"drrn_ns_c": DRRN(3, 2, 4, shared=False, multi_path=False), "drrn_b3": DRRN(3, 2, 4)}


def stirred(model: nn.Module) -> nn.Module:
    """A copy with random weights, biases, slopes, ensemble weights and running statistics, for scoring."""
    torch.manual_seed(0)
    model = copy.deepcopy(model)
    with torch.no_grad():
        for tensor in (*model.parameters(), *(b for b in model.buffers() if b.is_floating_point())):
            tensor.add_(0.1 * torch.randn_like(tensor))
    return model.eval()


def plain_resnet(T: int, shared: bool) -> nn.Sequential:
    """A ResNet in its simplest form: one convolution, T residual blocks, one convolution."""
    block = Residual(4)
    blocks = [block if shared else Residual(4) for _ in range(T)]
    return stirred(nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), *blocks, nn.Conv2d(4, 1, 3, padding=1)))


def equal(actual, wanted) -> None:
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
    equal([states["s"] for states in unroll(graph, x)], [network[: t + 1](x) for t in range(T + 1)])
    assert {*Unrolled(graph).parameters()} == {*network.parameters()}
    assert len(graph.links[1].f) == (1 if shared else T)


@pytest.mark.parametrize("name", RECURRENT)
def test_a_graph_is_its_model(name):
    """Witness: the model file, with random weights and statistics: weights, depth, states, and the output to the bit, but a
    mean up to rounding; whatever weight learns in one learns in the other."""
    model = stirred(RECURRENT[name])
    graph, (lr, ilr) = GRAPHS[type(model)](model), images(model)
    image, network, weights = lr if isinstance(model, DSRN) else ilr, Unrolled(graph), [*model.parameters()]
    assert set(network.parameters()) == {p for name, p in model.named_parameters() if name != "w"}  # DRCN's are `combine`
    assert depth(graph) == model.depth
    y, wanted = network(image, ilr), model.predict(lr, ilr)
    (torch.testing.assert_close if graph.combine == "mean" else equal)(y, wanted)
    idle = [[g is None for g in torch.autograd.grad(z.sum(), weights, allow_unused=True)] for z in (y, wanted)]
    assert idle[0] == idle[1]
    steps = unroll(graph, image)[1:]
    if isinstance(model, DSRN):
        equal([states["s_h"] for states in steps], list(model.states(lr)))
    if isinstance(model, DRCN):
        equal([states["y"] + ilr for states in steps], model.predictions(ilr))
    if isinstance(model, DRRN):  # the skip is a link from s^0, but in C from the step before
        assert {link.delay for link in graph.links if link.name == "skip"} == {FIRST if model.blocks[0].multi_path else 1}
        if model.blocks[0].multi_path:  # or it is f_input, f_b at every step, which is Eq. 1 with nothing added to it
            graph = drrn(model, as_input=True)
            assert {link.delay for link in graph.links if link.source == link.target == "s"} == {1}
            equal(Unrolled(graph)(ilr, ilr), wanted)


@torch.no_grad()
def test_without_f_down_there_is_no_feedback(x):
    """Identity: a graph with one link less is the model file's ablation with the same weights."""
    model, ablated = stirred(DSRN(2, 4, 4)), DSRN(2, 4, 4, feedback=False)
    ablated.load_state_dict({k: v for k, v in model.state_dict().items() if not k.startswith("f_down")})
    graph, ilr = dsrn(model), torch.rand(2, 1, 14, 18)
    torch.testing.assert_close(Unrolled(graph.without("f_down"))(x, ilr), ablated(x, ilr))
    assert not torch.allclose(Unrolled(graph)(x, ilr), ablated(x, ilr))
    with pytest.raises(InputError, match="no link 'f_left': choose one of f_up, f_hr"):
        graph.without("f_left")


def test_shared_functions_unroll_to_any_length_and_own_ones_do_not(x):
    """A ResNet with shared weights runs as long as one likes; where steps have functions of their own, they end."""
    graph = resnet(plain_resnet(2, shared=True))
    assert len(unroll(replace(graph, T=9), x)) == 10
    with pytest.raises(InputError, match="T is 3: choose 1 step or more, at most 2 of them"):
        replace(resnet(plain_resnet(2, shared=False)), T=3)
    with pytest.raises(InputError, match=r"T is 0: choose 1 step or more\."):
        draw_unrolled(graph, 0)
    with pytest.raises(InputError, match="nothing recurs"):
        drrn(DRRN(2, 0, 4))


ONE = [nn.Identity()]
A, B = State("a", nn.Identity()), State("b")
THERE, BACK, OUT = Link("a", "b", ONE, 0, "there"), Link("b", "a", ONE, 0, "back"), Link("b", "y", ONE, 0, "out")


def test_delays_are_what_they_say():
    """By hand: a doubles through two links from the step before, b is a of the step itself, c always a of the first step."""
    links = (*[Link("a", "a", ONE, 1, "again")] * 2, THERE, Link("a", "c", ONE, FIRST, "first"), OUT)
    found = unroll(Recurrence((A, B, State("c")), links, "last", 3), torch.ones(1))
    assert [[state["a"], state["b"], state["c"]] for state in found] == [[1, None, None], [2, 2, 1], [4, 4, 1], [8, 8, 1]]


@pytest.mark.parametrize(
    ("states", "links", "combine", "said"),
    [
        ((A, B), (THERE, BACK, OUT), "last", r"No step can begin, as (a -> b -> a|b -> a -> b) has no delay: give one"),
        ((A,), (THERE,), "last", r"Link there goes from 'a' to 'b': the states are x, a, y\."),
        ((A, B), (THERE, replace(BACK, delay=2), OUT), "last", "Link back has the delay 2: choose 0, 1 or FIRST"),
        ((A, A), (OUT,), "last", "called a, a: give each a name of its own"),
        ((A, B), (THERE, OUT), "median", "cannot be combined by 'median'"),
        ((A, B), (OUT,), "last", "Nothing reaches the output y"),
    ],
)
def test_graphs_that_cannot_be_computed_are_refused(states, links, combine, said):
    """One sentence, naming the link or the states."""
    with pytest.raises(InputError, match=said):
        Recurrence(states, links, combine, 1)


def texts(figure) -> Counter:
    """All texts drawn, none of which may lie on another."""
    found = [text for text in figure.axes[0].texts if text.get_text()]
    boxes = [(text.get_text(), text.get_window_extent(figure.canvas.get_renderer())) for text in found]
    assert [(a, b) for (a, box), (b, other) in combinations(boxes, 2) if box.overlaps(other)] == []
    plt.close(figure)
    return Counter(text for text, _ in boxes)


def test_drawings_have_every_arrow_once():
    """By hand from Figures 1 and 2: how often each function occurs in 3 steps, s_h^0 being absent; and the folded graphs."""
    graph = dsrn(DSRN(2, 3, 4))
    names = {name: rf"$f_{{\mathrm{{{name}}}}}$" for name in ("lr", "hr", "up", "down", "output")}
    drawn = texts(draw_unrolled(graph, 3))
    assert {name: drawn[text] for name, text in names.items()} == {"lr": 3, "hr": 2, "up": 3, "down": 2, "output": 3}
    assert [drawn[f"$s_{{h}}^{{{t}}}$"] for t in range(4)] == [0, 1, 1, 1]
    assert set(names.values()) < set(texts(draw_folded(graph)))
    untied = texts(draw_unrolled(dsrn(DSRN(2, 3, 4, shared=False)), 3))
    assert {rf"$f_{{\mathrm{{lr}}}}^{{{t}}}$" for t in (1, 2, 3)} < set(untied)
    graph = drrn(DRRN(1, 3, 4))
    assert texts(draw_unrolled(graph, 3))["skip"] == 3
    assert texts(draw_functions({"DRRN": (graph, "f_recurrent")}))["BN$^t$"] == 2


def test_equations_are_read_off_the_graph():
    """Eqs. 2 to 5 in LaTeX, and DRRN's s^0."""
    found = equations(dsrn(DSRN(2, 3, 4)))
    assert r"f_{\mathrm{up}}(s_{l}^{t}) + f_{\mathrm{hr}}(s_{h}^{t-1})" in found
    wanted = r"\underbrace{f_{\mathrm{input}}(x^{t})}_{=0} + f_{\mathrm{lr}}(s_{l}^{t-1}) + f_{\mathrm{down}}(s_{h}^{t-1})"
    assert wanted in found
    assert r"\hat{y} &= \frac{1}{T} \sum_{t=1}^{T} y^{t}" in found
    assert r"f_{\mathrm{recurrent}}(s^{t-1}) + s^{0} \\" in equations(drrn(DRRN(1, 3, 4)))
