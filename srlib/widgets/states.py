"""The states of the recursive networks, step by step: the energy map of each state, and the image reconstructed from it.

DSRN's Figure 5 shows "energy maps" of its states. This module computes them for every recursive network of `srlib.models` and
shows them in an element with a slider (`states.js`): in JupyterLab for any image, in the book from small crops.

Readings:

* The paper does not define the energy: here it is the mean of the squares over the channels.
* DRRN reads its image from the last state alone. Its other states, those of earlier blocks included, go through the same last
  normalisation and reconstruction, which were not trained for them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import numpy as np
import torch
from torch import Tensor, nn

from srlib.errors import InputError
from srlib.figures.regions import model_windows
from srlib.images import rgb_to_luma, round_uint8
from srlib.inference.tiling import Window, to_tensor
from srlib.metrics import psnr
from srlib.models import DRCN, DRRN, DSRN, RLCSC, SingleState
from srlib.widgets.elements import data_uri, with_script

MOST_PIXELS = 512 * 512  # of the window: two pictures a step have to fit into a page
BRIGHT = 0.995  # quantile of an energy map that is drawn as its brightest colour, as a few pixels are far above the rest
MIN_WIDTH = 120  # least width of the pictures where there is no script, in dots


def has_states(model: nn.Module) -> bool:
    """Whether a network is recursive, so that `unrolled` and `show_states` take it."""
    if isinstance(model, DRRN):
        return any(len(block.norms_1) for block in model.blocks)  # U = 0 is no recursion
    return isinstance(model, (DSRN, SingleState, DRCN, RLCSC))


def unrolled(model: nn.Module, lr: Tensor, ilr: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Every state of a network, in the order of the steps, and the image reconstructed from that state alone.

    Parameters
    ----------
    model : nn.Module
        DSRN (its HR states), DSRN's single-state baseline, DRRN (each unit of each block), RL-CSC (z_1 .. z_K) or DRCN.
    lr, ilr : torch.Tensor
        Luma `(N, 1, H, W)` and `(N, 1, scale H, scale W)`, 0..1; only DSRN uses `lr`.

    Yields
    ------
    tuple of torch.Tensor
        State `(N, C, scale H, scale W)` and prediction `(N, 1, scale H, scale W)`, in about 0..1.

    Raises
    ------
    InputError
        If the network has no states.
    """
    if not has_states(model):
        kinds = "DSRN, its single-state baseline, DRRN with U of 1 or more, RL-CSC, DRCN"
        raise InputError(f"{type(model).__name__} has no recurrent states to show: choose one of {kinds}.")
    if isinstance(model, DSRN):
        for s_h in model.states(lr):
            yield s_h, ilr + model.f_output(s_h)  # Eq. 4
    elif isinstance(model, SingleState):
        s = model.input_2(model.input_1(ilr).relu()).relu()
        for normalise in model.normalise:
            s = normalise(model.f_recurrent(s))  # Eq. 1 of DSRN
            yield s, ilr + model.f_output(s)
    elif isinstance(model, DRRN):
        h = ilr
        for block in model.blocks:
            h_0 = h = block.conv(block.norm(h).relu())
            for u, norms in enumerate(zip(block.norms_1, block.norms_2, strict=True)):
                conv_1, conv_2 = (block.conv_1, block.conv_2) if block.shared else (block.conv_1[u], block.conv_2[u])
                h = block.residual(h, norms[0], conv_1, norms[1], conv_2) + (h_0 if block.multi_path else h)  # Eq. 5; C: Eq. 3
                yield h, ilr + model.reconstruction(model.norm(h).relu())
    elif isinstance(model, RLCSC):
        w1_y = model.W1(model.F1(model.F0(ilr).relu()).relu())
        z = w1_y.relu()
        for _ in range(model.K):
            z = model.recursion(z, w1_y, 1)  # Eq. 9
            R = model.H(model.W2(z).relu())  # Eq. 11
            yield z, ilr + R if model.residual else R
    else:
        h = model.embed(ilr)
        for _ in range(model.T):
            h = model.recursion(h).relu()
            yield h, model.reconstruct(h, ilr)


def energy(state: Tensor) -> np.ndarray:
    """Energy map `(H, W)` of a state `(1, C, H, W)`: the mean of the squares over the channels."""
    return state.square().mean(1)[0].cpu().numpy()


@dataclass(frozen=True, eq=False)
class States:
    """Energy maps and predictions of a network at each step inside a window; a notebook shows them with a slider.

    Parameters
    ----------
    label : str
        Name of the network.
    energies : tuple of numpy.ndarray
        The energy map of each step, `(height, width)`.
    predictions : tuple of numpy.ndarray
        The luma reconstructed from each state alone, `(height, width)`, about 0..1.
    bicubic : numpy.ndarray
        The interpolated luma, `(height, width)`, about 0..1.
    output : numpy.ndarray, optional
        The network's output `(height, width)`, where it combines the predictions of all steps instead of taking the last.
    combined : str
        The combination, in words.
    hr : numpy.ndarray, optional
        The original's luma, `(height, width)`, `uint8`.
    """

    label: str
    energies: tuple[np.ndarray, ...]  # the energy map of each step
    predictions: tuple[np.ndarray, ...]  # the luma reconstructed from each state alone
    bicubic: np.ndarray  # the interpolated luma
    output: np.ndarray | None = None  # the output, where it combines the predictions of all steps instead of taking the last
    combined: str = ""  # the combination, in words
    hr: np.ndarray | None = None  # the original's luma, `uint8`

    def psnr(self, luma: np.ndarray) -> float | None:
        """PSNR in dB of a prediction inside the window, rounded to 8 bits; `None` without the original."""
        return None if self.hr is None else psnr(self.hr, round_uint8(255 * luma))

    @property
    def html(self) -> str:
        """The HTML element without its script: a captioned figure for each step."""
        figures = [self._figure("step 0, bicubic interpolation", self.bicubic)]
        for t, (luma, e) in enumerate(zip(self.predictions, self.energies, strict=True), 1):
            figures.append(self._figure(f"step {t} of {len(self.energies)}", luma, e))
        if self.output is not None:
            figures.append(self._figure(f"output, {self.combined}", self.output))
        reference = self.predictions[-1] if self.output is None else self.output
        if self.hr is not None:
            reference = self.hr / 255
            picture = _picture(self.hr, f"{self.label}: the original")
            figures.append(f"<figure data-hr>{picture}<figcaption>{escape(self.label)}: the original.</figcaption></figure>")
        top = max(4, int(np.ceil(255 * np.quantile(np.abs(reference - self.bicubic), 0.98))))  # grey levels
        return f'<srlib-states data-label="{escape(self.label)}" data-residual="{top}">\n{"".join(figures)}</srlib-states>'

    def _figure(self, name: str, luma: np.ndarray, e: np.ndarray | None = None) -> str:
        """The figure of a prediction and the energy map of its state, with the numbers that the script reads; HTML."""
        data, words = [f'data-name="{name}"'], [f"{escape(self.label)}, {name}"]
        if (dB := self.psnr(luma)) is not None:
            data.append(f'data-psnr="{dB:.4f}"')
            words.append(f"{dB:.2f} dB inside the crop")
        pictures = _picture(round_uint8(255 * luma), f"{self.label}, {name}: image")
        if e is not None:
            top = float(np.quantile(e, BRIGHT)) or 1.0
            data += [f'data-energy="{e.mean():.4g}"', f'data-top="{top:.4g}"']
            words.append(f"beside it the energy, mean {_short(e.mean())}, white: {_short(top)} and more")
            pictures += _picture(round_uint8(255 * e / top), f"{self.label}, {name}: energy map of the state")
        return f"<figure {' '.join(data)}>{pictures}<figcaption>{'; '.join(words)}.</figcaption></figure>\n"

    def __repr__(self) -> str:
        """PSNR of the steps, or their mean energies without an original, in one line."""
        height, width = self.bicubic.shape
        if self.hr is None:
            numbers = f"mean energy: {', '.join(_short(e.mean()) for e in self.energies)}"
        else:
            values = ", ".join(f"{self.psnr(x):.2f}" for x in (self.bicubic, *self.predictions))
            numbers = f"PSNR (dB) from bicubic on: {values}"
        return f"{self.label}: {len(self.energies)} steps, {height} x {width} pixels; {numbers}"

    def _repr_html_(self) -> str:
        return with_script(self.html, "states.js")


@torch.no_grad()
def show_states(
    model: nn.Module,
    lr: np.ndarray,
    ilr: np.ndarray,
    scale: int,
    *,
    window: Window | None = None,
    hr: np.ndarray | None = None,
    label: str = "",
) -> States:
    """Energy maps and predictions of the steps of a recursive network.

    Parameters
    ----------
    model : nn.Module
        A recursive network, on any device.
    lr, ilr : numpy.ndarray
        The LR image and its interpolation, from `Protocol.degrade` and `Protocol.interpolate`; of RGB the luma is taken.
    scale : int
        2, 3 or 4.
    window : (slice, slice), optional
        Rows and columns of `ilr` to show; all if omitted. The network runs on the pixels around it within its radius, too, so
        the result is exact.
    hr : numpy.ndarray, optional
        The original, of `ilr`'s height and width: `uint8` or float in 0..1, luma or RGB. Without it there are no errors.
    label : str
        Name of the network; the name of its class if omitted.

    Returns
    -------
    States
        Shown by a notebook as pictures with a slider.

    Raises
    ------
    InputError
        If the network has no states or another scale, if shapes do not fit, or if the window is empty or too large.
    """
    if scale != (model.scale or scale):
        raise InputError(f"This network enlarges {model.scale} times, not {scale}: choose the one for ×{scale}.")
    lr, ilr, shape = _luma(lr, "lr") / 255, _luma(ilr, "ilr") / 255, ilr.shape[:2]
    if shape != (scale * lr.shape[0], scale * lr.shape[1]):
        raise InputError(f"ilr is {shape}, but ×{scale} of lr's {lr.shape} is wanted: make it with Protocol.interpolate.")
    if hr is not None and hr.shape[:2] != shape:
        raise InputError(f"hr is {hr.shape[:2]}, but ilr's {shape} is wanted: crop it with modcrop, not to the window.")
    window = tuple(slice(*s.indices(n)[:2]) for s, n in zip(window or (slice(None),) * 2, shape, strict=True))
    height, width = (s.stop - s.start for s in window)
    if not (height > 0 < width and height * width <= MOST_PIXELS):
        raise InputError(f"The window is {height} x {width} pixels: choose one of 1 to {MOST_PIXELS:,} pixels.")
    device, training = next(model.parameters()).device, model.training
    lr_window, ilr_window, inner = model_windows(window, lr.shape, model, scale)
    inputs = [to_tensor(x).to(device) for x in (lr[lr_window], ilr[ilr_window])]
    model.eval()
    try:
        pairs = [(energy(s)[inner], y[0, 0].double().cpu().numpy()[inner]) for s, y in unrolled(model, *inputs)]
        combined = _combination(model)
        output = model.predict(*inputs)[0, 0].double().cpu().numpy()[inner] if combined else None
    finally:
        model.train(training)
    energies, predictions = zip(*pairs, strict=True)
    original = None if hr is None else round_uint8(_luma(hr, "hr")[window])
    return States(label or type(model).__name__, energies, predictions, ilr[window], output, combined, original)


def _combination(model: nn.Module) -> str:
    """How a network combines the predictions of all steps into its output; '' if it takes the last."""
    if isinstance(model, DRCN):
        return "the weighted sum of all steps"
    return "the mean of all steps" if getattr(model, "average", isinstance(model, SingleState)) else ""


def _luma(image: np.ndarray, name: str) -> np.ndarray:
    """Luma in grey levels of an image, luma or RGB, `uint8` or float in 0..1."""
    if image.ndim != 2 and image.shape[2:] != (3,):
        raise InputError(f"{name} is an array of shape {image.shape}: luma (H, W) or RGB (H, W, 3) is wanted.")
    if image.dtype != np.uint8 and not (top := np.abs(image).max()) < 4:  # interpolation may leave 0..1 a little
        raise InputError(f"{name} reaches {top:.3g}: floats in 0..1 or 8-bit integers are wanted.")
    return rgb_to_luma(image if image.dtype == np.uint8 else 255 * image)


def _short(x: float) -> str:
    """A number to three digits, without an exponent for large ones."""
    return f"{x:.3g}" if x < 1000 else f"{x:,.0f}"


def _picture(pixels: np.ndarray, alt: str) -> str:
    """An `img` element, its pixels enlarged by an integer factor."""
    height, width = (n * max(1, -(-MIN_WIDTH // pixels.shape[1])) for n in pixels.shape)
    return f'<img src="{data_uri(pixels)}" alt="{escape(alt)}" width="{width}" height="{height}">'
