"""Sparse coding, from ISTA to the recursion of RL-CSC: M. Zhang et al., "Image Super-Resolution via RL-CSC", Sections 2 and 3.

Everything here works on two kinds of dictionary D, as convolution is a matrix product too (Section 3.2):

* a matrix `(n, m)`, for signals y `(N, n)` and codes z `(N, m)`; the m atoms are its columns;
* a bank of filters `(m, c, s, s)`, for images y `(N, c, H, W)` and feature maps z `(N, m, H - s + 1, W - s + 1)`: one
  coefficient wherever filter f_i lies wholly inside y. RL-CSC pads y by s // 2 zeros first, so that z has the image's size.

Tensors are floating, of one dtype, and of any range.

Readings, where the paper is in error or silent:

* Eq. 2 asks for L <= mu_max. It must be L >= mu_max: only then does 1/2 L ||.||^2 lie above the data term, and every step
  descend. (Steps still descend down to mu_max / 2; below that ISTA can diverge.)
* z_0 = 0. RL-CSC's z_0 = ReLU(W_1 y) is ISTA's first step from there, so its K recursions are K + 1 steps.
* S = I - D^T D / L is a convolution with 2s - 1 taps a side. RL-CSC learns one with s = 3: exact only for filters of 2 x 2.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Threshold = Callable[[Tensor, Tensor | float], Tensor]


def soft_threshold(alpha: Tensor, theta: Tensor | float) -> Tensor:
    """h_theta(alpha) = sign(alpha) max(|alpha| - theta, 0), element by element (Eq. 3); theta >= 0 broadcasts."""
    return alpha.sign() * torch.relu(alpha.abs() - theta)


def soft_threshold_plus(alpha: Tensor, theta: Tensor | float) -> Tensor:
    """h_theta^+(alpha) = max(alpha - theta, 0) = ReLU(alpha - theta), for codes that are not negative (Eq. 10)."""
    return torch.relu(alpha - theta)


def synthesis(D: Tensor, z: Tensor) -> Tensor:
    """D z: the signal of the codes; for a bank of filters, sum_i f_i * Z_i (Eq. 6).

    Parameters
    ----------
    D, z : torch.Tensor
        Matrix `(n, m)` and codes `(N, m)`, or filters `(m, c, s, s)` and maps `(N, m, H - s + 1, W - s + 1)`.

    Returns
    -------
    torch.Tensor
        `(N, n)` or `(N, c, H, W)`.
    """
    return z @ D.T if D.ndim == 2 else F.conv_transpose2d(z, D)


def analysis(D: Tensor, r: Tensor) -> Tensor:
    """D^T r, the adjoint of `synthesis`: signals `(N, n)` or `(N, c, H, W)` to the shape of codes."""
    return r @ D if D.ndim == 2 else F.conv2d(r, D)


def mu_max(D: Tensor) -> float:
    """The largest eigenvalue of D^T D.

    For filters it is the value for an unbounded image, sampled at 16 s frequencies a side. No finite image has a larger one;
    the sampling can miss 4 percent in theory.
    """
    if D.ndim == 4:  # on a periodic image convolution is one (m, c) matrix for each frequency
        side = 16 * D.shape[-1]
        D = torch.fft.fft2(D, s=(side, side)).permute(2, 3, 0, 1)
    return float(torch.linalg.matrix_norm(D, ord=2).max() ** 2)


def objective(y: Tensor, D: Tensor, z: Tensor, lam: float) -> Tensor:
    """1/2 ||y - D z||_2^2 + lam ||z||_1 of each signal, `(N,)` (Eq. 1; Eq. 5 for filters)."""
    return (y - synthesis(D, z)).square().flatten(1).sum(1) / 2 + lam * z.abs().flatten(1).sum(1)


def ista(y: Tensor, D: Tensor, lam: float, K: int, L: float | None = None, h: Threshold = soft_threshold) -> list[Tensor]:
    """Iterative shrinkage thresholding: K steps down Eq. 1 (Eq. 2).

    Parameters
    ----------
    y : torch.Tensor
        Signals `(N, n)`, or images `(N, c, H, W)`.
    D : torch.Tensor
        Matrix `(n, m)`, or filters `(m, c, s, s)`.
    lam : float
        Weight of the l1-norm, 0 or more.
    K : int
        Steps.
    L : float, optional
        One over the step length; `mu_max(D)` unless given.
    h : callable
        `soft_threshold`, or `soft_threshold_plus` to minimise over z >= 0.

    Returns
    -------
    list of torch.Tensor
        z_0 = 0 to z_K.
    """
    L = L or mu_max(D)
    z = [torch.zeros_like(analysis(D, y))]
    for _ in range(K):
        z.append(h(z[-1] + analysis(D, y - synthesis(D, z[-1])) / L, lam / L))
    return z


def fista(y: Tensor, D: Tensor, lam: float, K: int, L: float | None = None, h: Threshold = soft_threshold) -> list[Tensor]:
    """ISTA with momentum; parameters and result as `ista`.

    A. Beck, M. Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear inverse problems", SIAM J. Imaging
    Sciences 2(1), 2009: the gap to the minimum falls like 1/k^2 in place of 1/k, at the same cost a step.
    """
    L = L or mu_max(D)
    z, t = [torch.zeros_like(analysis(D, y))], 1.0
    extrapolated = z[0]
    for _ in range(K):
        z.append(h(extrapolated + analysis(D, y - synthesis(D, extrapolated)) / L, lam / L))
        t, t_previous = (1 + (1 + 4 * t * t) ** 0.5) / 2, t
        extrapolated = z[-1] + (t_previous - 1) / t * (z[-1] - z[-2])
    return z


def ista_weights(D: Tensor, L: float) -> tuple[Tensor, Tensor]:
    """The weights with which Eqs. 4 and 9 are ISTA: D^T / L and I - D^T D / L.

    Parameters
    ----------
    D : torch.Tensor
        Matrix `(n, m)`, or filters `(m, c, s, s)`.
    L : float
        One over the step length.

    Returns
    -------
    tuple of torch.Tensor
        W_e `(m, n)` and G `(m, m)`; or the convolutions W_1 `(m, c, s, s)` and S `(m, m, 2s - 1, 2s - 1)`.
    """
    if D.ndim == 2:
        return D.T / L, torch.eye(D.shape[1], dtype=D.dtype, device=D.device) - D.T @ D / L
    s = D.shape[-1]
    S = -F.conv2d(D, D, padding=s - 1) / L  # the correlation of every filter with every other, at all their overlaps
    S[:, :, s - 1, s - 1] += torch.eye(len(D), dtype=D.dtype, device=D.device)  # I: one tap, in the middle
    return D / L, S


class LISTA(nn.Module):
    """Learned ISTA: K recursions z_{k+1} = h_theta(W_e y + G z_k) that share learned weights (Eq. 4; Eq. 9 for filters).

    W_e, G and theta, one threshold for each of the m atoms, start at ISTA's own values: untrained, this *is* ISTA.

    Parameters
    ----------
    D : torch.Tensor
        Matrix `(n, m)`, or filters `(m, c, s, s)`; then W_e is the paper's W_1, and G its S.
    lam : float
        Weight of the l1-norm.
    K : int
        Recursions, 1 or more.
    L : float, optional
        One over ISTA's step length; `mu_max(D)` unless given.
    h : callable
        `soft_threshold`, or `soft_threshold_plus` for codes that are not negative.
    """

    def __init__(self, D: Tensor, lam: float, K: int, L: float | None = None, h: Threshold = soft_threshold) -> None:
        super().__init__()
        L = L or mu_max(D)
        self.W_e, self.G = (nn.Parameter(weight.clone()) for weight in ista_weights(D, L))
        self.theta = nn.Parameter(torch.full((len(self.G), *(1,) * (D.ndim - 2)), lam / L, dtype=D.dtype, device=D.device))
        self.K, self.h = K, h

    def forward(self, y: Tensor) -> Tensor:
        """Map signals y `(N, n)` to codes z_K `(N, m)`, or images to feature maps, as `ista` does."""
        if self.W_e.ndim == 2:
            W_e_y, G = F.linear(y, self.W_e), F.linear
        else:
            W_e_y, G = F.conv2d(y, self.W_e), lambda z, weight: F.conv2d(z, weight, padding="same")
        z = self.h(W_e_y, self.theta)  # from z_0 = 0
        for _ in range(self.K - 1):
            z = self.h(W_e_y + G(z, self.G), self.theta)
        return z
