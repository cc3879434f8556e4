"""Recurrent networks as graphs (DSRN, Sections 3 and 4): states, transition functions with delays, finite unrolling.

ResNet, DRCN, DRRN and DSRN unroll one kind of system. A step sums over the links that enter a state, Eq. 1 with one state s:

    s^t = f_input(x^t) + f_recurrent(s^{t-1}),    y^t = f_output(s^t)

and Eq. 2 with two. A `Recurrence` holds that graph, made of the layers of an existing model (the same objects, so the same
weights), and everything else follows from it: `unroll` computes the states, `Unrolled` is the feed-forward network, `depth` its
longest path, `srlib.graphs.draw_recurrence` its drawings and its equations.

Readings:

* A state with s^0 = 0 adds nothing at t = 1: its links are left out, because a function of zero would add its bias.
* f_input(x^t) = 0 (Eq. 3) is a link without a function.
* DRRN's skip "always comes from the first unrolled state": a link of delay `FIRST`. Eq. 1 has no such term, unless as f_input.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from graphlib import CycleError, TopologicalSorter
from operator import add
from typing import Any

import torch
from torch import nn

from srlib.errors import InputError
from srlib.models import CONVOLUTIONS, DRCN, DRRN, DSRN, SingleState

FIRST = math.inf  # the delay of a link that starts at s^0 in every step


@dataclass(frozen=True, eq=False)
class State:
    """A recurrent state."""

    name: str  # any but x and y, which are the input and output state
    start: nn.Module | None = None  # makes s^0 of the input image; s^0 = 0 if there is none
    normalise: Sequence[nn.Module] = ()  # functions after the sum: one for each step, one for all, or none


@dataclass(frozen=True, eq=False)
class Link:
    """An arrow of the graph: a transition function from one state to another."""

    source: str
    target: str
    f: Sequence[nn.Module]  # one function that all steps share, one for each step (untied), or none: the zero function (Eq. 3)
    delay: float  # 0: within the step; 1: from the step before (the black square of Figure 1); `FIRST`: from step 0, always
    name: str  # as in the paper, f_lr


@dataclass(frozen=True, eq=False)
class Recurrence:
    """A recurrent system with its output.

    A link to an unknown state, of another delay or with too few functions is an `InputError`; so is a cycle without delay.
    """

    states: tuple[State, ...]  # from the top of a drawing to its bottom
    links: tuple[Link, ...]  # all arrows, those from the input state x and to the output state y included
    combine: str | torch.Tensor  # of y^1 .. y^T the last, the mean (Eq. 5), or the sum with these weights `(T,)` (DRCN)
    T: int  # unrolling length, 1 or more

    def __post_init__(self) -> None:
        states = ["x", *(state.name for state in self.states), "y"]
        if isinstance(self.combine, str) and self.combine not in ("last", "mean"):
            raise InputError(f"Predictions cannot be combined by {self.combine!r}: choose last, mean or weights.")
        if len(set(states)) < len(states):
            raise InputError(f"The states are called {', '.join(states[1:-1])}: give each a name of its own, not x or y.")
        for link in self.links:
            if link.source not in states[:-1] or link.target not in states[1:]:
                arrow = f"Link {link.name} goes from {link.source!r} to {link.target!r}"
                raise InputError(f"{arrow}: the states are {', '.join(states)}.")
            if link.delay not in (0, 1, FIRST):
                raise InputError(f"Link {link.name} has the delay {link.delay}: choose 0, 1 or FIRST.")
        lengths = [len(f) for f in (*(link.f for link in self.links), *(state.normalise for state in self.states))]
        limit = min((n for n in lengths if n > 1), default=math.inf)
        if not 1 <= self.T <= limit:
            reason = "" if limit == math.inf else f", at most {limit} of them as each has functions of its own"
            raise InputError(f"T is {self.T}: choose 1 step or more{reason}.")
        if depth(self) is None:
            raise InputError("Nothing reaches the output y: link it, through the states, to one with a start.")

    def order(self) -> list[str]:
        """Names of the states and `y`, each after its sources within a step."""
        sources = {name: [] for name in (*(state.name for state in self.states), "y")}
        for link in self.links:
            if link.delay == 0 and link.source != "x":
                sources[link.target].append(link.source)
        try:
            return list(TopologicalSorter(sources).static_order())
        except CycleError as error:
            cycle = " -> ".join(error.args[1])
            raise InputError(f"No step can begin, as {cycle} has no delay: give one of these links the delay 1.") from None

    def without(self, name: str) -> "Recurrence":
        """The system without the link of a name."""
        if name not in (names := [link.name for link in self.links]):
            raise InputError(f"There is no link {name!r}: choose one of {', '.join(names)}.")
        return replace(self, links=tuple(link for link in self.links if link.name != name))


def _walk(recurrence: Recurrence, x: Any, apply: Callable, join: Callable) -> list[dict[str, Any]]:
    """The states at t = 0 .. T, of values of any kind: `apply` maps a value by a function, `join` adds values."""
    # None is a state of zero, which adds nothing
    states = [{"x": x} | {s.name: None if s.start is None else apply(s.start, x) for s in recurrence.states}]
    normalise = {s.name: s.normalise for s in recurrence.states}
    order = recurrence.order()
    for t in range(1, recurrence.T + 1):
        now = {"x": x}
        past = {0: now, 1: states[-1], FIRST: states[0]}
        for name in order:
            entering = [(link.f, past[link.delay][link.source]) for link in recurrence.links if link.target == name]
            # one function for all steps, or step t's own
            terms = [apply(f[(t - 1) % len(f)], source) for f, source in entering if f and source is not None]
            now[name] = join(terms) if terms else None
            if terms and (f := normalise.get(name)):
                now[name] = apply(f[(t - 1) % len(f)], now[name])
        states.append(now)
    return states


def unroll(recurrence: Recurrence, x: torch.Tensor) -> list[dict[str, torch.Tensor | None]]:
    """All states at all steps (Eqs. 1 and 2), from the image x `(N, C, H, W)`.

    For t = 0 .. T the states by name, `None` for zero; among them the input `x` and, from t = 1, the prediction `y`.
    """
    return _walk(recurrence, x, lambda f, s: f(s), lambda terms: reduce(add, terms))


def convolutions(f: nn.Module) -> int:
    """Number of convolutions on the longest path through a function, a sequence of layers."""
    if isinstance(f, Unrolled):
        return depth(f.recurrence)
    return 1 if isinstance(f, CONVOLUTIONS) else sum(convolutions(child) for child in f.children())


def depth(recurrence: Recurrence) -> int:
    """Number of convolutions on the longest path from the image to y^T."""
    return _walk(recurrence, 0, lambda f, d: d + convolutions(f), max)[-1]["y"]


class Unrolled(nn.Module):
    """A recurrence unrolled to a feed-forward network with the same weights (Figures 1(b) and 2(b))."""

    def __init__(self, recurrence: Recurrence) -> None:
        super().__init__()
        self.recurrence = recurrence
        functions = [f for link in recurrence.links for f in link.f]
        functions += [f for state in recurrence.states for f in (state.start, *state.normalise) if f is not None]
        self.functions = nn.ModuleList(functions)  # registers the weights

    def forward(self, x: torch.Tensor, base: torch.Tensor | None = None) -> torch.Tensor:
        """Map the image `(N, C, H, W)` to the combined predictions; `base` is added to each, for global residual learning."""
        ys = [states["y"] for states in unroll(self.recurrence, x)[1:]]
        combine, base = self.recurrence.combine, 0 if base is None else base
        if isinstance(combine, torch.Tensor):
            return sum(w * (y + base) for w, y in zip(combine, ys, strict=True))
        return (reduce(add, ys) / len(ys) if combine == "mean" else ys[-1]) + base  # Eq. 5


NO_INPUT = Link("x", "s", (), 0, "f_input")  # Eq. 3


def _links(f: Sequence[nn.Module], f_output: nn.Module, f_input: Link = NO_INPUT, *skip: Link) -> tuple[Link, ...]:
    """Figure 1(a): the links of one recurrent state."""
    return (f_input, Link("s", "s", f, 1, "f_recurrent"), *skip, Link("s", "y", (f_output,), 0, "f_output"))


def resnet(network: nn.Sequential) -> Recurrence:
    """A ResNet: a sequence of the start of s^0, T residual blocks (one block T times: shared weights) and f_output."""
    start, *blocks, f_output = network
    f = blocks[:1] if len(set(blocks)) == 1 else blocks
    return Recurrence((State("s", start),), _links(f, f_output), "last", len(blocks))


def drcn(model: DRCN) -> Recurrence:
    """DRCN: f_recurrent is one convolution, and the output a weighted sum of the predictions of all steps."""
    start = nn.Sequential(model.embedding_1, nn.ReLU(), model.embedding_2, nn.ReLU())
    f_output = nn.Sequential(model.reconstruction_1, nn.ReLU(), model.reconstruction)
    f = nn.Sequential(model.recursion, nn.ReLU())
    return Recurrence((State("s", start),), _links((f,), f_output), model.w, model.T)


def drrn(model: DRRN, as_input: bool = False) -> Recurrence:
    """DRRN: s^t = H^t, f_recurrent is F, and the skip comes from s^0 = H^0 (its Eq. 5).

    U must be 1 or more. Each step has its own normalisation, and shares its convolutions if the model does. With B > 1, s^0 of
    a block comes from the unrolled block before. With `as_input`, H^0 is not added through a link from s^0 but as f_input(x^t),
    the image being x^t at every step.
    """
    graph = None
    for block in model.blocks:
        if not (U := len(block.norms_1)):
            raise InputError("A DRRN with U = 0 has no residual unit, so nothing recurs: choose U of 1 or more.")
        convs = [(block.conv_1, block.conv_2)] * U if block.shared else zip(block.conv_1, block.conv_2, strict=True)
        units = zip(block.norms_1, block.norms_2, convs, strict=True)
        F = [nn.Sequential(n_1, nn.ReLU(), c_1, n_2, nn.ReLU(), c_2) for n_1, n_2, (c_1, c_2) in units]
        start = nn.Sequential(*([Unrolled(graph)] if graph else []), block.norm, nn.ReLU(), block.conv)  # f_b
        f_output = nn.Sequential(model.norm, nn.ReLU(), model.reconstruction) if block is model.blocks[-1] else nn.Identity()
        skip = Link("s", "s", (nn.Identity(),), FIRST if block.multi_path else 1, "skip")
        into_s = (replace(NO_INPUT, f=(start,)),) if as_input else (NO_INPUT, skip)
        graph = Recurrence((State("s", start),), _links(F, f_output, *into_s), "last", U)
    return graph


def single_state(model: SingleState) -> Recurrence:
    """DSRN's single-state baseline: the ResNet with shared weights, a PReLU a step, the mean of all predictions."""
    start = nn.Sequential(model.input_1, nn.ReLU(), model.input_2, nn.ReLU())
    return Recurrence((State("s", start, model.normalise),), _links((model.f_recurrent,), model.f_output), "mean", model.T)


def dsrn(model: DSRN) -> Recurrence:
    """DSRN (Eq. 2), as well without feedback, untied, or reading the last state: two states and a delayed link down."""
    start = nn.Sequential(model.input_1, nn.ReLU(), model.input_2, nn.ReLU())
    links = (
        Link("s_l", "s_h", model.f_up, 0, "f_up"),
        Link("s_h", "s_h", model.f_hr, 1, "f_hr"),
        replace(NO_INPUT, target="s_l"),
        Link("s_l", "s_l", model.f_lr, 1, "f_lr"),
        *([Link("s_h", "s_l", model.f_down, 1, "f_down")] if model.f_down else []),
        Link("s_h", "y", (model.f_output,), 0, "f_output"),
    )
    states = (State("s_h", None, model.normalise_h), State("s_l", start, model.normalise_l))
    return Recurrence(states, links, "mean" if model.average else "last", model.T)
