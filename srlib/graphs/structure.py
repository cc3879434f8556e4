"""The structure of a network as a graph of operations, as in the papers' figures.

`srlib.graphs.tracing` makes a `Structure` of a model. It can be counted (`depth`, `weights`), simplified like the papers'
figures (`without`, `collapsed`), cut (`part`, `units`) and, if it repeats itself, folded to a recursion (`folded`). Two
convolutions share their weights if they use one tensor. `srlib.graphs.draw_structure` draws it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from srlib.errors import InputError


@dataclass(frozen=True)
class Operation:
    """A node of a structure."""

    kind: str  # input, output, a kind of `srlib.graphs.tracing.KINDS`, or module (a part that was collapsed)
    inputs: tuple[int, ...] = ()  # numbers of the operations whose results it takes
    channels: int = 0  # of its result
    # torch's name of the function (`conv2d`, `relu`), or the module's path. Inputs and outputs of a part have the name of the
    # operation whose result they are, those of a network none.
    name: str = ""
    weight: str = ""  # name in the model of its first parameter; operations with the same name share one tensor
    kernel: int = 0  # side of a convolution's kernel, 0 for anything else; a matrix counts as a convolution of side 1
    module: str = ""  # path of the module that called it
    per_step: bool = False  # in a folded structure: whether each recursion has separate parameters for it


@dataclass(frozen=True)
class Structure:
    """A network as a graph of operations, each after its inputs; the last is the output."""

    operations: tuple[Operation, ...]
    body: range = range(0)  # of a folded structure: numbers of the repeated operations
    back: tuple[tuple[int, int], ...] = ()  # likewise: source and target of each value that one recursion passes to the next
    times: int = 1  # number of recursions; 1 if nothing was folded

    def of_kind(self, *kinds: str) -> list[int]:
        """Numbers of all operations of some kinds, in ascending order."""
        return [i for i, operation in enumerate(self.operations) if operation.kind in kinds]

    def within(self, module: str) -> list[int]:
        """Numbers of all operations called inside a module, by its path."""
        return [i for i, o in enumerate(self.operations) if f"{o.module}.".startswith(f"{module}.")]

    def weights(self) -> dict[str, list[int]]:
        """Names of the weight tensors of convolutions, in the order of first use, with the numbers of their convolutions."""
        users: dict[str, list[int]] = {}
        for i in self.of_kind("convolution"):
            users.setdefault(self.operations[i].weight, []).append(i)
        return users

    def longest(self, kinds: Iterable[str] = ()) -> list[int]:
        """Numbers on the longest path from an input to the output, by operations of some kinds (of any, if none is given)."""
        best: list[tuple[int, int]] = []  # for each operation the length of its longest path, and the number before it
        for o in self.operations:
            length, before = max(((best[i][0], -i) for i in o.inputs), default=(0, 1))
            best.append((length + (not kinds or o.kind in kinds), -before))
        path = [len(self.operations) - 1]
        while (before := best[path[-1]][1]) >= 0:
            path.append(before)
        return path[::-1]

    @property
    def depth(self) -> int:
        """Number of convolutions on the longest path, as the papers count."""
        return sum(self.operations[i].kind == "convolution" for i in self.longest(["convolution"]))

    def units(self) -> list[tuple[int, ...]]:
        """Numbers of the residual units on the longest path: each from the branch, or the unit before, to the addition."""
        path, units = self.longest(), []
        for k, (before, i) in enumerate(pairwise(path), start=1):
            skips = [s for s in self.operations[i].inputs if s != before and s in path]
            if self.operations[i].kind == "addition" and any(self.operations[s].kind != "input" for s in skips):
                start = max(j + 1 for j in range(k) if path[j] in skips or self.operations[path[j]].kind == "addition")
                units.append(tuple(path[start : k + 1]))
        return units

    def _kept(self, stands_for: Callable[[int], int | None]) -> "Structure":
        """The structure of the operations that stand for themselves, numbered anew; the others are replaced, or left out."""
        numbers: dict[int, int] = {}
        operations = []
        for i, operation in enumerate(self.operations):
            if stands_for(i) == i:
                numbers[i] = len(operations)
                inputs = tuple(dict.fromkeys(numbers[stands_for(j)] for j in operation.inputs))
                operations.append(replace(operation, inputs=inputs))
        body = [numbers[i] for i in self.body if i in numbers]
        back = tuple((numbers[stands_for(a)], numbers[b]) for a, b in self.back if b in numbers)
        return Structure(tuple(operations), range(body[0], body[-1] + 1) if body else range(0), back, self.times)

    def without(self, *kinds: str) -> "Structure":
        """The structure without operations of some kinds that have one input, as the papers omit BN and ReLU."""
        stands_for: dict[int, int] = {}
        for i, o in enumerate(self.operations):
            stands_for[i] = stands_for[o.inputs[0]] if o.kind in kinds and len(o.inputs) == 1 else i
        return self._kept(stands_for.get)

    def collapsed(self, module: str) -> "Structure":
        """The structure with each call of a module, by its path, as one operation of kind `module`."""
        inside = self.within(module)
        if not inside:
            paths = sorted({operation.module for operation in self.operations})
            raise InputError(f"Nothing is called inside {module!r}: the modules are {', '.join(paths)}.")
        operations, last = list(self.operations), {}  # number of each operation inside to the last one of the same call
        for i in reversed(inside):
            last[i] = last.get(i + 1, i)
        for end in set(last.values()):
            call = [i for i in inside if last[i] == end]
            outside = dict.fromkeys(j for i in call for j in self.operations[i].inputs if j not in call)
            operations[end] = Operation("module", tuple(outside), operations[end].channels, name=module, module=module)
        merged = replace(self, operations=tuple(operations))
        return merged._kept(lambda i: last.get(i, i))

    def part(self, numbers: Iterable[int]) -> "Structure":
        """The structure of some operations alone, with their inputs from outside as inputs, and the last result as output."""
        numbers = sorted(numbers)
        outside = sorted({j for i in numbers for j in self.operations[i].inputs} - set(numbers))
        cut = {i: replace(self.operations[i], kind="input", inputs=(), weight="", kernel=0) for i in outside}
        operations = tuple(cut.get(i, operation) for i, operation in enumerate(self.operations))
        part = Structure(operations)._kept(lambda i: i if i in numbers or i in cut else None)
        return part.with_output(len(part.operations) - 1, part.operations[-1].name)

    def with_output(self, number: int, name: str = "") -> "Structure":
        """The structure whose output is the result of one operation, without the operations that it does not depend on."""
        operations = (*self.operations, Operation("output", (number,), self.operations[number].channels, name))
        needed = {len(operations) - 1}
        for i in reversed(range(len(operations))):
            needed |= set(operations[i].inputs) if i in needed else set()
        return Structure(operations)._kept(lambda i: i if i in needed else None)

    def folded(self) -> "Structure":
        """The structure as a recursion: the longest part that repeats itself with the same weights stands once, as `body`.

        Normalisation may have separate parameters in each recursion, as in DRRN, which `per_step` marks. If nothing repeats
        itself, this is an `InputError`.
        """
        repetitions = [(0, 0, 0)]  # operations that are covered, minus the period, minus the start
        for first, second in (users[:2] for users in self.weights().values() if len(users) > 1):
            period = second - first
            starts = range(max(1, first - period + 1), first + 1)
            repetitions += [(self._repetitions(start, period) * period, -period, -start) for start in starts]
        covered, period, start = map(abs, max(repetitions))
        if not covered:
            raise InputError("Nothing in this structure repeats itself with the same weights.")
        body, end, o = range(start, start + period), start + covered, self.operations
        # inputs of the second recursion that are results of the first
        back = tuple((j, i) for i in body for j in o[i + period].inputs if j in body)
        per_step = {i for i in body if o[i].weight != o[i + period].weight}

        def stands_for(i: int) -> int:
            if i >= end and o[i].kind == "arithmetic":  # the weights of predictions: one stands for all
                return next(j for j in range(end, i + 1) if o[j].kind == "arithmetic" and o[j].name == o[i].name)
            return start + (i - start) % period if start <= i < end else i

        marked = tuple(replace(operation, per_step=i in per_step) for i, operation in enumerate(o))
        return Structure(marked, body, back, covered // period)._kept(stands_for)

    def _repetitions(self, start: int, period: int) -> int:
        """Number of times that `period` operations from `start` on stand one after another; 0 if once."""
        o, body = self.operations, range(start, start + period)

        def alike(i: int, k: int) -> bool:
            a, b, shift = o[i], o[i + k * period], k * period
            if (a.kind, a.name, len(a.inputs)) != (b.kind, b.name, len(b.inputs)):
                return False
            if a.kind == "convolution" and a.weight != b.weight:
                return False
            # from the same place in this recursion, from the same place before all, or from the recursion before
            pairs = zip(a.inputs, b.inputs, strict=True)
            return all(q - shift == p or (p < start and (q == p or q - shift + period in body)) for p, q in pairs)

        times = 1
        while start + (times + 1) * period <= len(o) and all(alike(i, times) for i in body):
            times += 1
        return times if times > 1 else 0
