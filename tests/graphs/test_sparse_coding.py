"""Sparse coding against closed forms, an outside optimiser, published bounds, and the recursions of RL-CSC and DRRN."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.optimize
import torch
from torch.nn import functional as F

from srlib.graphs import sparse_coding
from srlib.graphs.sparse_coding import LISTA, analysis, fista, ista, ista_weights, mu_max, objective, synthesis
from srlib.models.drrn import RecursiveBlock
from srlib.models.rlcsc import RLCSC

soft_threshold, soft_threshold_plus = THRESHOLDS = (sparse_coding.soft_threshold, sparse_coding.soft_threshold_plus)


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def matrix() -> tuple[torch.Tensor, torch.Tensor]:
    """A dictionary of 24 unit atoms in 12 dimensions, and five signals."""
    return F.normalize(draw(12, 24), dim=0), draw(5, 12)


@pytest.fixture
def bank() -> tuple[torch.Tensor, torch.Tensor]:
    """Four filters of 3 x 3 on two channels, and three images of 7 x 6."""
    return draw(4, 2, 3, 3), draw(3, 2, 7, 6)


def written_out(D: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """The Toeplitz matrix of a bank of filters: a column for each filter at each place, zeros around it."""
    channels, s = D.shape[1:3]
    columns = []
    for f in D:
        for top in range(height - s + 1):
            for left in range(width - s + 1):
                image = torch.zeros(channels, height, width, dtype=D.dtype)
                image[:, top : top + s, left : left + s] = f
                columns.append(image.flatten())
    return torch.stack(columns, 1)


@pytest.mark.parametrize(("h", "least"), [(soft_threshold, -3), (soft_threshold_plus, 0)])
def test_a_threshold_is_the_minimum_it_stands_for(h, least):
    """Eqs. 3 and 10 as proximal maps: argmin_z 1/2 (alpha - z)^2 + theta |z|, for h+ among z >= 0, by search on a fine grid."""
    grid = torch.linspace(least, 3, 6001, dtype=torch.float64)
    for alpha in (-2.0, -0.3, 0.0, 0.4, 1.7):
        best = grid[((alpha - grid) ** 2 / 2 + 0.5 * grid.abs()).argmin()]
        assert abs(h(torch.tensor(alpha), 0.5) - best) <= 1e-3
    alpha = draw(1000)
    assert torch.equal(h(alpha, 0.0), alpha if least else alpha.relu())


@pytest.mark.parametrize("solve", [ista, fista])
def test_with_orthonormal_atoms_the_code_is_the_threshold_of_the_projections(solve):
    """Closed form: D^T D = I gives z = h_lambda(D^T y), in one step."""
    D, y = torch.linalg.qr(draw(8, 8))[0], draw(3, 8)
    torch.testing.assert_close(solve(y, D, 0.4, 1, L=1.0)[-1], soft_threshold(y @ D, 0.4))


@pytest.mark.parametrize(("solve", "K"), [pytest.param(ista, 20_000, marks=pytest.mark.slow), (fista, 2000)])
def test_the_minimum_is_scipys(matrix, solve, K):
    """Outside witness: L-BFGS-B on Eq. 1 with z = u - v, u and v not negative; for non-negative codes v = 0."""
    D, y = matrix
    A, lam = D.numpy(), 0.2
    for h, signs in ((soft_threshold, (1, -1)), (soft_threshold_plus, (1,))):
        ours = objective(y, D, solve(y, D, lam, K, h=h)[-1], lam)
        B = np.hstack([sign * A for sign in signs])
        for signal, value in zip(y.numpy(), ours, strict=True):
            found = scipy.optimize.minimize(
                lambda u, B=B, signal=signal: ((B @ u - signal) @ (B @ u - signal) / 2 + lam * u.sum(),
                                               B.T @ (B @ u - signal) + lam),
                np.zeros(B.shape[1]), jac=True, method="L-BFGS-B", bounds=[(0, None)] * B.shape[1],
                options={"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-10},
            )  # fmt: skip
            assert value.item() == pytest.approx(found.fun, rel=1e-8)


@pytest.mark.parametrize("part", [1.0, 0.75, 0.51, 0.4])
def test_ista_never_rises_while_l_is_above_half_of_mu_max(matrix, part):
    """Theory: the step falls by at least (L - mu_max / 2) ||z_{k+1} - z_k||^2; L >= mu_max is the textbook's safe side. Eq. 2
    says L <= mu_max, a contradiction: L = 0.4 mu_max obeys it, and the objective grows without end."""
    D, y = matrix
    L = part * mu_max(D)
    z = ista(y, D, 0.1, 200, L=L)
    for before, after in pairwise(z):
        fall = objective(y, D, before, 0.1) - objective(y, D, after, 0.1)
        assert part < 0.5 or (fall >= (L - mu_max(D) / 2) * (after - before).square().sum(1) - 1e-12).all()
    assert ((objective(y, D, z[-1], 0.1) > 1e6 * objective(y, D, z[0], 0.1)) == (part < 0.5)).all()


def test_fista_is_ahead_of_ista_and_both_keep_their_published_bounds(matrix):
    """Witness: Beck and Teboulle (2009), Theorems 3.1 and 4.4: gaps of at most L d^2 / 2k and 2 L d^2 / (k + 1)^2."""
    D, y = matrix
    lam, K, L = 0.02, 60, mu_max(D)
    best = fista(y, D, lam, 6000)[-1]
    minimum, distance = objective(y, D, best, lam), best.square().sum(1)
    slow, fast = ista(y, D, lam, K), fista(y, D, lam, K)
    gaps = torch.stack([torch.stack([objective(y, D, z[k], lam) - minimum for z in (slow, fast)]) for k in range(1, K + 1)])
    k = torch.arange(1, K + 1)[:, None]
    assert (gaps[:, 0] <= L * distance / (2 * k)).all()
    assert (gaps[:, 1] <= 2 * L * distance / (k + 1) ** 2).all()
    assert (gaps[K // 4 :, 1] < gaps[K // 4 :, 0]).all()


def test_mu_max_is_the_largest_eigenvalue(matrix, bank):
    """numpy's eigenvalues; for filters a bound of those of any image, which larger images come close to."""
    D, _ = matrix
    assert mu_max(D) == pytest.approx(np.linalg.eigvalsh((D.T @ D).numpy())[-1])
    D, _ = bank
    small, large = (torch.linalg.matrix_norm(written_out(D, side, side), ord=2).item() ** 2 for side in (7, 16))
    assert small < large < mu_max(D) < 1.1 * large


@pytest.mark.parametrize("h", THRESHOLDS)
@pytest.mark.parametrize("solve", [ista, fista])
def test_convolutional_sparse_coding_is_sparse_coding_with_the_toeplitz_matrix(bank, solve, h):
    """Section 3.2: each iterate for filters is that of the matrix written out."""
    D, y = bank
    L = mu_max(D)
    maps = solve(y, D, 0.3, 30, L=L, h=h)
    codes = solve(y.flatten(1), written_out(D, 7, 6), 0.3, 30, L=L, h=h)
    for a, b in zip(maps, codes, strict=True):
        torch.testing.assert_close(a.flatten(1), b)


@pytest.mark.parametrize("h", THRESHOLDS)
@pytest.mark.parametrize("kind", ["matrix", "bank"])
def test_untrained_lista_is_ista(kind, h, request):
    """Eqs. 2, 4 and 9: K recursions from ISTA's own weights are K steps of ISTA, and every weight can be learned."""
    D, y = request.getfixturevalue(kind)
    for K in (1, 2, 7):
        net = LISTA(D, 0.3, K, h=h)
        torch.testing.assert_close(net(y), ista(y, D, 0.3, K, h=h)[-1])
    net(y).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in net.parameters())


def test_s_is_one_convolution_of_nearly_twice_the_filters_size(bank):
    """Identity: z - D^T D z / L is S * z with zero padding, S of 2s - 1 taps; its middle s taps are another map."""
    D, y = bank
    L = mu_max(D)
    S = ista_weights(D, L)[1]
    assert S.shape == (4, 4, 5, 5)
    z = draw(*analysis(D, y).shape)
    wanted = z - analysis(D, synthesis(D, z)) / L
    torch.testing.assert_close(F.conv2d(z, S, padding=2), wanted)
    cropped = F.conv2d(z, S[:, :, 1:4, 1:4], padding=1)
    assert (cropped - wanted).norm() > 0.1 * wanted.norm()


def test_learning_brings_lista_ahead_of_ista(matrix):
    """Gregor and LeCun's claim, in small: four learned recursions beat four of ISTA on signals that were not trained on."""
    D, _ = matrix

    def signals(N):
        y = synthesis(D, draw(N, 24) * (torch.rand(N, 24) < 0.1))
        return y, fista(y, D, 0.1, 200)[-1]

    (y, z), (unseen, wanted) = signals(500), signals(200)
    net = LISTA(D, 0.1, 4)
    optimiser = torch.optim.Adam(net.parameters(), 0.003)
    for _ in range(150):
        optimiser.zero_grad()
        (net(y) - z).square().sum().backward()
        optimiser.step()
    with torch.no_grad():
        assert (net(unseen) - wanted).norm() < 0.7 * (ista(unseen, D, 0.1, 4)[-1] - wanted).norm()


def test_rlcsc_is_ista_for_filters_of_2_x_2():
    """Eq. 9 without bias: z_K is K + 1 steps of non-negative ISTA with lambda = 0 on y with zeros around it. A 3 x 3 S is exact
    for 2 x 2 filters; they sit in a corner of W_1's 3 x 3."""
    model = RLCSC(K=6, n=3, m=5).double()
    D = F.pad(draw(5, 3, 2, 2), (0, 1, 0, 1))
    L = mu_max(D)
    W_1, S = ista_weights(D, L)
    assert S.count_nonzero() == S[:, :, 1:4, 1:4].count_nonzero()
    model.W1.weight.data, model.S.weight.data = W_1, S[:, :, 1:4, 1:4]
    y = torch.rand(2, 3, 9, 8, dtype=torch.float64)
    z = model.recursion(model.W1(y).relu(), model.W1(y), model.K)
    torch.testing.assert_close(z, ista(F.pad(y, (1, 1, 1, 1)), D, 0.0, model.K + 1, L=L, h=soft_threshold_plus)[-1])
    assert z.any()


def test_drrns_recursive_block_contains_rlcscs_recursion():
    """Section 4: DRRN's H^u = F(H^{u-1}) + H^0 is S ReLU(a_{u-1}) + W_1 y, a = W_1 y + S z before its ReLU: DRRN's own block
    with its normalisation and the first of its two convolutions idle."""
    model = RLCSC(K=5, n=3, m=4).double()
    y = torch.rand(1, 3, 9, 8, dtype=torch.float64)
    z = model.recursion(model.W1(y).relu(), model.W1(y), model.K)
    block = RecursiveBlock(3, U=model.K, width=4).double().eval()
    for norm in (block.norm, *block.norms_1, *block.norms_2):
        norm.eps = 0.0
    block.conv.weight.data, block.conv_2.weight.data = model.W1.weight.data, model.S.weight.data
    torch.nn.init.dirac_(block.conv_1.weight)
    torch.testing.assert_close(block(y).relu(), z)
    assert z.any()
