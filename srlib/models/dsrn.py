"""DSRN: W. Han, S. Chang, D. Liu, M. Yu, M. Witbrock, T. S. Huang, "Image Super-Resolution via Dual-State Recurrent Networks",
CVPR 2018.

A recurrent network with two states, s_l at low and s_h at high resolution, unrolled T times. Each state is a residual block of
itself; s_l feeds s_h through a transposed convolution, and s_h feeds back to the next s_l through a strided one. Every step
predicts the residual image, and the predictions are averaged. (`recurrence.py` writes this as a graph, beside ResNet, DRCN,
DRRN.)

Readings, where the text is silent or cannot be taken literally:

* A "standard residual block" is s + conv(ReLU(conv(s))), and the links between the states are linear; so is the released code.
* s_l^0 is two convolutions with ReLU. The text adds "skip connections", which do not fit 1 -> 64 -> 128 channels; the code has
  none.
* "Normalizing the scale with two scalar parameters" is one PReLU with one parameter a state and step (`normalise="prelu"`). A
  PReLU scales negative values only; `"prelu_gain"` takes the sentence at its word and multiplies by a learned scalar, too.
* "All layers use 3 x 3" would leave holes at x4: a transposed convolution with a kernel below its stride never writes 7 of 16
  pixels of s_h, and f_down never reads them. So `kernel` is max(3, scale): the text's at x2 and x3, 4 at x4. Others can be
  given.
* The untied network (Table 2) has its own f_lr, f_hr, f_up, f_down in every step, and one f_output. (The first step's f_hr and
  f_down would act on s_h^0 = 0 and so never do.)
* The single-state baseline (Table 2) is "a single-state RNN unrolled ResNet": `SingleState`, on the interpolated image.

Parameters at 3 x 3: 576 + 73,728 + 6 x 147,456 + 1,152 = 960,192; depth 2T + 4; receptive field of an output, 4T + 7 pixels of
LR.
"""

from collections.abc import Iterator

import torch
from torch import nn

from srlib.models.base import SRModel


def _glorot(conv: nn.Module) -> nn.Module:
    nn.init.xavier_uniform_(conv.weight)
    nn.init.zeros_(conv.bias)
    return conv


def _conv(channels_in: int, channels_out: int) -> nn.Module:
    return _glorot(nn.Conv2d(channels_in, channels_out, 3, padding=1))


class Residual(nn.Module):
    """A self-transition, f_lr or f_hr: the standard residual block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_1, self.conv_2 = _conv(width, width), _conv(width, width)

    def forward(self, s: torch.Tensor) -> torch.Tensor:
        """Map a state to the next state, same shape."""
        return self.conv_2(self.conv_1(s).relu_()).add_(s)


class Normalise(nn.Module):
    """The normalisation of a state: PReLU with one parameter, and in the second reading a learned gain."""

    def __init__(self, gain: bool) -> None:
        super().__init__()
        self.prelu = nn.PReLU()
        self.gain = nn.Parameter(torch.ones(())) if gain else None

    def forward(self, s: torch.Tensor) -> torch.Tensor:
        """Map a state to the normalised state, same shape."""
        s = self.prelu(s)
        return s if self.gain is None else s * self.gain


class DSRN(SRModel):
    """Dual-state recurrent network on the LR luma; predicts the residual over its interpolation.

    Parameters
    ----------
    scale : int
        2, 3 or 4.
    T : int
        Unrolling length, 1 or more; 7 in the paper.
    width : int
        Filters of every convolution but the first, which has half as many.
    shared : bool
        Whether all steps share their transition functions; if not, the untied network.
    feedback : bool
        Whether s_h feeds back to s_l (f_down).
    average : bool
        Whether all predictions are averaged (Eq. 5); if not, the last is taken.
    normalise : {'prelu', 'prelu_gain'}
        Reading of the scalar normalisation.
    kernel : int, optional
        Side of f_up's and f_down's filters; `max(3, scale)` if omitted.
    """

    domain = "lr+ilr"
    reconstruction = property(lambda self: self.f_output)  # its output is the residual image

    def __init__(
        self,
        scale: int,
        T: int = 7,
        width: int = 128,
        shared: bool = True,
        feedback: bool = True,
        average: bool = True,
        normalise: str = "prelu",
        kernel: int | None = None,
    ) -> None:
        super().__init__()
        self.scale, self.T, self.shared, self.average = scale, T, shared, average
        steps = 1 if shared else T
        kernel = kernel or max(3, scale)
        # Sizes are exact multiples: f_up maps (H, W) to (scale H, scale W), f_down back.
        padding = max(0, (kernel - scale + 1) // 2)
        self.depth, self.radius = 2 * T + 4, 2 * T + 2 + (scale + padding) // scale
        link = {"kernel_size": kernel, "stride": scale, "padding": padding}
        up = link | {"output_padding": scale - kernel + 2 * padding}
        self.input_1, self.input_2 = _conv(1, width // 2), _conv(width // 2, width)
        self.f_lr = nn.ModuleList(Residual(width) for _ in range(steps))
        self.f_hr = nn.ModuleList(Residual(width) for _ in range(steps))
        self.f_up = nn.ModuleList(_glorot(nn.ConvTranspose2d(width, width, **up)) for _ in range(steps))
        self.f_down = nn.ModuleList(_glorot(nn.Conv2d(width, width, **link)) for _ in range(steps)) if feedback else None
        self.normalise_l = nn.ModuleList(Normalise(normalise == "prelu_gain") for _ in range(T))
        self.normalise_h = nn.ModuleList(Normalise(normalise == "prelu_gain") for _ in range(T))
        self.f_output = _conv(width, 1)

    def states(self, lr: torch.Tensor) -> Iterator[torch.Tensor]:
        """The HR states s_h^1 .. s_h^T, each `(N, width, scale H, scale W)` (Figure 5 shows their energies)."""
        s_l = self.input_2(self.input_1(lr).relu_()).relu_()  # s_l^0: (N, width, H, W)
        s_h = None  # s_h^0 = 0; its terms are left out, so that f_hr(0) and f_down(0) add no bias
        for t in range(self.T):
            k = 0 if self.shared else t
            # Eq. 2 with f_input = 0 (Eq. 3), the LR state first, as the HR state needs it
            total = self.f_lr[k](s_l)
            if s_h is not None and self.f_down:
                total += self.f_down[k](s_h)
            s_l = self.normalise_l[t](total)
            total = self.f_up[k](s_l)
            if s_h is not None:
                total += self.f_hr[k](s_h)
            s_h = self.normalise_h[t](total)
            yield s_h

    def forward(self, lr: torch.Tensor, ilr: torch.Tensor) -> torch.Tensor:
        """Map the LR luma `(N, 1, H, W)` and its interpolation, `scale` times the size, both in 0..1, to the HR luma."""
        r = torch.zeros_like(ilr)
        for t, s_h in enumerate(self.states(lr), start=1):
            if self.average or t == self.T:
                r = r + self.f_output(s_h)  # Eq. 4
        return (r / self.T if self.average else r) + ilr  # Eqs. 5 and 6: the network predicts r = I_h - bicubic(I_l)


class SingleState(SRModel):
    """Table 2's single-state baseline: a ResNet with shared weights (Eq. 1), on the interpolated luma.

    Parameters
    ----------
    T, width : int
        As for `DSRN`. 370,368 weights at 128 filters.
    """

    domain = "ilr"
    reconstruction = property(lambda self: self.f_output)  # its output is the residual image

    def __init__(self, T: int = 7, width: int = 128) -> None:
        super().__init__()
        self.T, self.depth, self.radius = T, 2 * T + 3, 2 * T + 3
        self.input_1, self.input_2 = _conv(1, width // 2), _conv(width // 2, width)
        self.f_recurrent = Residual(width)
        self.normalise = nn.ModuleList(Normalise(False) for _ in range(T))
        self.f_output = _conv(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map the interpolated luma `(N, 1, H, W)` in 0..1 to the high-resolution one, same shape and range."""
        s = self.input_2(self.input_1(x).relu_()).relu_()
        r = torch.zeros_like(x)
        for normalise in self.normalise:
            s = normalise(self.f_recurrent(s))  # Eq. 1 with f_input = 0
            r = r + self.f_output(s)
        return r / self.T + x  # supervised and averaged as DSRN


def dsrn_t7_x2() -> DSRN:
    """DSRN of Table 1 at ×2."""
    return DSRN(scale=2)


def dsrn_t7_x3() -> DSRN:
    """DSRN of Table 1 at ×3."""
    return DSRN(scale=3)


def dsrn_t7_x4() -> DSRN:
    """DSRN of Table 1 at ×4."""
    return DSRN(scale=4)


VARIANTS = {f"dsrn_t{T}_x2": {"scale": 2, "T": T} for T in (1, 2, 3, 5, 7, 9)}  # Figure 3
for _scale in (2, 3, 4):  # Tables 1 and 2
    VARIANTS |= {
        f"dsrn_t7_x{_scale}": {"scale": _scale},
        f"dsrn_untied_x{_scale}": {"scale": _scale, "shared": False},
        f"dsrn_no_feedback_x{_scale}": {"scale": _scale, "feedback": False},
        f"dsrn_last_state_x{_scale}": {"scale": _scale, "average": False},
    }
VARIANTS["dsrn_kernel3_x4"] = {"scale": 4, "kernel": 3}  # the text taken literally, holes and all
