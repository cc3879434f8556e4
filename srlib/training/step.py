"""One iteration of training: draw, predict, compare, clip, update, average.

All that changes from one iteration to the next is a tensor on the device, and nothing is read back, so a GPU can replay an
iteration as one CUDA graph, without the hundreds of launches of a small network. On a CPU the same lines run one by one.
"""

import sys

import torch
from torch import nn

from srlib.training.patches import Patches, Sampler
from srlib.training.recipe import Recipe
from srlib.training.state import TrainingState

WARM_UP = 3  # iterations before a graph is captured, for libraries to choose their algorithms


class Step:
    """A function that runs the next iteration and returns its loss, a scalar tensor on the device.

    Parameters
    ----------
    state : TrainingState
        State before the iteration; it is changed in place.
    patches : Patches
        On the state's device.
    recipe : Recipe
        Settings of the training.
    total : int
        Iterations of the run.
    seed : int
        Seed of the order of the patches and their transforms.
    precision : str
        Precision of the convolutions; weights, normalisation statistics, loss and averages stay in fp32.
    graph : bool
        Whether a GPU replays the iteration as a CUDA graph.
    cycle : int
        Number of ancestors of this training.
    """

    def __init__(
        self,
        state: TrainingState,
        patches: Patches,
        recipe: Recipe,
        total: int,
        seed: int,
        *,
        precision: str = "fp32",
        graph: bool = True,
        cycle: int = 0,
    ) -> None:
        device = patches.hr.pixels.device
        self.state, self.recipe, self.total, self.precision = state, recipe, total, precision
        self.sampler = Sampler(patches, recipe.batch, recipe.transforms, seed, cycle)
        self.lrs = torch.tensor([recipe.lr_at(k, total) for k in range(total)], device=device)
        self.iteration = torch.tensor(state.iteration, device=device)
        self.graph = None
        self.before_capture = WARM_UP if graph and device.type == "cuda" else -1
        models = (state.ema_model, state.model)
        self.averages, self.weights = ([t for t in m.state_dict().values() if t.is_floating_point()] for m in models)

    def __call__(self) -> torch.Tensor:
        """The loss of the next iteration, after which the state is updated."""
        self.sampler.seek(self.state.iteration)
        if self.graph is None and self.before_capture == 0:
            self._capture()
        if self.graph is not None:
            self.graph.replay()
        elif self.before_capture > 0:  # on a stream of its own, as capturing wants
            self.before_capture -= 1
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                self.loss = self._iteration()
            torch.cuda.current_stream().wait_stream(stream)
        else:
            self.loss = self._iteration()
        self.state.iteration += 1
        return self.loss

    def _capture(self) -> None:
        """Capture one iteration as a graph; if the GPU's libraries refuse, print it and go on without a graph."""
        graph, iteration = torch.cuda.CUDAGraph(), self.iteration.clone()
        self.state.model.zero_grad(set_to_none=True)
        try:
            with torch.cuda.graph(graph):
                self.loss = self._iteration()
            self.graph = graph
        except RuntimeError as error:
            print(f"srlib: the iteration cannot be captured ({str(error).splitlines()[0]}): going on without", file=sys.stderr)
            self.iteration.copy_(iteration)
        self.before_capture = -1

    def _iteration(self) -> torch.Tensor:
        state, recipe = self.state, self.recipe
        inputs, hr = self.sampler.draw(self.iteration)
        state.model.train()
        loss = self._loss(inputs, hr)
        state.model.zero_grad(set_to_none=True)
        loss.backward()
        lr = self.lrs.take(self.iteration)  # indexing would ask the device for the iteration
        for group in state.optimiser.param_groups:
            group["lr"].copy_(lr * group["factor"])
        if recipe.clip:
            self._clip(recipe.clip / lr if recipe.clip_over_lr else recipe.clip)
        state.optimiser.step()
        if state.muon:
            state.muon.step(lr)
        self.iteration += 1
        decay = ((1 + self.iteration) / (10 + self.iteration)).clamp(max=recipe.ema)  # 0: the average is the network itself
        torch._foreach_mul_(self.averages, decay)
        torch._foreach_add_(self.averages, torch._foreach_mul(self.weights, 1 - decay))
        return loss.detach()

    def _loss(self, inputs: dict[str, torch.Tensor], hr: torch.Tensor) -> torch.Tensor:
        lr, ilr = (x.contiguous(memory_format=torch.channels_last) for x in (inputs.get("lr", hr), inputs.get("ilr", hr)))
        model = self.state.model
        with torch.autocast(hr.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            if not self.recipe.supervision:
                return self._distance(model.predict(lr, ilr), hr)
            predictions = model.predictions(ilr)  # DRCN: the intermediate predictions are supervised, too
            sr = sum(w * y for w, y in zip(model.w, predictions, strict=True))
        weight = self.recipe.supervision * (1 - self.iteration / self.total)
        mean_loss = torch.stack([self._distance(y, hr) for y in predictions]).mean()
        return (1 - weight) * self._distance(sr, hr) + weight * mean_loss

    def _distance(self, sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        error = sr.float() - hr
        error = error.square() if self.recipe.loss == "squared" else error.abs()
        return self.recipe.loss_factor * (error.mean() if self.recipe.pixel_mean else error.sum() / len(hr))

    def _clip(self, limit: torch.Tensor | float) -> None:
        gradients = [p.grad for p in self.state.model.parameters() if p.grad is not None]
        if self.recipe.clip_by == "value":
            torch._foreach_clamp_min_(gradients, -limit)
            torch._foreach_clamp_max_(gradients, limit)
            return
        norm = nn.utils.get_total_norm(gradients)
        torch._foreach_mul_(gradients, (limit / (norm + 1e-6)).clamp(max=1))
