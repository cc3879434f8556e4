"""PSNR, SSIM and IFC: pure functions on two images of one size, equal to the MATLAB code the papers ran.

All take float or `uint8` arrays on the 0..255 scale, already cropped to the scored area. The IFC follows the reference
MATLAB implementation of Sheikh, Bovik and de Veciana; its notice asks to be kept:

    Copyright (c) 2005 The University of Texas at Austin. All rights reserved. Permission is granted, without written agreement
    and without license or royalty fees, to use, copy, modify, and distribute the code and its documentation for any purpose,
    provided that the copyright notice appears in all copies and the original source is cited: the paper below and the
    Laboratory for Image and Video Engineering (LIVE, http://live.ece.utexas.edu).

The steerable pyramid's filters are those of E. Simoncelli's matlabPyrTools (`sp5Filters`).

References
----------
.. [1] Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from error visibility to structural
   similarity", IEEE Trans. Image Processing 13 (2004). :doi:`10.1109/TIP.2003.819861`
.. [2] H. R. Sheikh, A. C. Bovik, G. de Veciana, "An information fidelity criterion for image quality assessment using natural
   scene statistics", IEEE Trans. Image Processing 14 (2005). :doi:`10.1109/TIP.2005.859389`
"""

import numpy as np
from skimage.metrics import structural_similarity

from srlib.errors import InputError

SSIM_WINDOW = 11
IFC_MIN_SIDE = 72


def psnr(reference: np.ndarray, image: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB, peak 255; `inf` for equal images.

    Parameters
    ----------
    reference, image : numpy.ndarray
        One shape (any), 0..255.
    """
    x, y = _pair(reference, image, "PSNR", minimum=1)
    error = np.mean((x - y) ** 2)
    return float(10 * np.log10(255**2 / error)) if error > 0 else float("inf")


def ssim(reference: np.ndarray, image: np.ndarray, border: str = "valid") -> float:
    """Structural similarity, mean over the map; 1 for equal images.

    Parameters
    ----------
    reference, image : numpy.ndarray
        `(H, W)`, 0..255, sides of at least 11 pixels.
    border : {'valid', 'replicate'}
        `valid` averages where the 11 x 11 window lies inside the image (Wang's `ssim_index.m`); `replicate` continues the edge
        and averages the full map (MATLAB's built-in `ssim`). They differ by up to 0.002.

    Notes
    -----
    Gaussian window, sigma 1.5, K = (0.01, 0.03), L = 255, biased variances, no downsampling [1]_: so scikit-image computes it
    with these options. The defaults of Python packages are off by 0.001 to 0.09.
    """
    if border not in ("valid", "replicate"):
        raise InputError(f"border {border!r} is unknown: choose 'valid' or 'replicate'.")
    x, y = _pair(reference, image, "SSIM", minimum=SSIM_WINDOW)
    if border == "replicate":
        x, y = (np.pad(z, SSIM_WINDOW // 2, mode="edge") for z in (x, y))
    return float(structural_similarity(x, y, data_range=255, gaussian_weights=True, use_sample_covariance=False))


def ifc(reference: np.ndarray, image: np.ndarray) -> float:
    """Information fidelity criterion in bits per pixel: the mutual information of `image` and `reference`; not symmetric.

    Parameters
    ----------
    reference, image : numpy.ndarray
        `(H, W)`, sides of at least 72 pixels, not flat. The range matters a little (0.009 between 0..1 and 0..255) and is a
        property of the protocol.

    Raises
    ------
    InputError
        For an image that is too small, or so flat that the covariance of its wavelet coefficients is singular.

    Notes
    -----
    Two orientations of a steerable pyramid at four levels. In each subband the image is modelled as a gain g times the
    reference plus noise of variance v; with the eigenvalues l of the covariance C of 3 x 3 neighbourhoods y and
    s = y' inv(C) y / 9, the criterion sums log2(1 + g^2 s l / v) [2]_.
    """
    x, y = _pair(reference, image, "IFC", minimum=IFC_MIN_SIDE)
    bits = sum(
        _subband_information(band_x, band_y, window=2**level + 1)
        for level, band_x, band_y in zip((4, 4, 3, 3, 2, 2, 1, 1), _subbands(x), _subbands(y), strict=True)
    )
    return float(bits / x.size)


def _pair(reference: np.ndarray, image: np.ndarray, metric: str, minimum: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(reference), np.asarray(image)
    for z in (x, y):
        if z.dtype.kind not in "fiu":
            raise InputError(f"{metric} compares arrays of numbers, but got {z.dtype} of shape {z.shape}: convert it first.")
    if x.shape != y.shape:
        raise InputError(f"{metric} compares images of one size, but got {x.shape} and {y.shape}.")
    if min(x.shape[:2], default=0) < minimum or (minimum > 1 and x.ndim != 2):
        raise InputError(f"{metric} needs a (H, W) image of at least {minimum} pixels a side, but got {x.shape}.")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError(f"{metric} needs finite pixels, but an image holds NaN or infinity.")
    for z, margin in ((x, 0), (y, 128)) if metric != "IFC" else ():  # a result that is not clipped leaves the range by some
        low, high = float(z.min()), float(z.max())
        if low < -margin or high > 255 + margin or (z.dtype.kind == "f" and 0 < high <= 1):
            raise InputError(f"{metric} is of 0..255, but an image has {low:g} to {high:g}: scale it, or use a protocol.")
    return x.astype(np.float64), y.astype(np.float64)


# One quadrant of each filter of `sp5Filters`, from the centre outwards; the rest follows by (anti)symmetry.
_LOW_0 = np.array(
    [[0.40304148, 0.15925570, -0.03848215], [0.15925570, 0.05586982, -0.01551246], [-0.03848215, -0.01551246, 0.00341614]]
)
_LOW = 2 * np.array(
    [
        [0.10096540, 0.08169618, 0.03981393, 0.01002988, -0.00962054],
        [0.08169618, 0.06426333, 0.03277038, 0.00410600, -0.00944432],
        [0.03981393, 0.03277038, 0.01396746, -0.00661117, -0.00387812],
        [0.01002988, 0.00410600, -0.00661117, -0.00523281, -0.00244917],
        [-0.00962054, -0.00944432, -0.00387812, -0.00244917, 0.00085404],
    ]
)
_BAND = np.array(  # odd along the first axis, even along the second
    [
        [0, 0, 0, 0],
        [0.11732297, 0.08226445, 0.03075356, 0.01021852],
        [-0.02755155, -0.01189859, 0.00893064, 0.00986904],
        [-0.01455399, -0.01026699, -0.00496194, -0.00277643],
    ]
)


def _subbands(image: np.ndarray) -> list[np.ndarray]:
    """The horizontal and vertical bands of the four pyramid levels, finest first: 8 arrays."""
    low, bands = _correlate(image, _LOW_0), []
    for level in range(4):
        bands += [_correlate(low, _BAND.T, odd_axis=1), _correlate(low, _BAND, odd_axis=0)]
        if level < 3:
            low = _correlate(low, _LOW, step=2)
    return bands


def _correlate(image: np.ndarray, quadrant: np.ndarray, odd_axis: int | None = None, step: int = 1) -> np.ndarray:
    """Correlate with the filter that `quadrant` spans, edges reflected, every `step`-th pixel kept.

    Rows at equal distance from the centre share their weights up to sign, so they are added first: a quarter of the products,
    and an odd filter is exactly zero where the image is flat.
    """
    radius = len(quadrant) - 1
    height, width = ((n + step - 1) // step for n in image.shape)
    padded = np.pad(image, radius, mode="reflect")

    def fold(x: np.ndarray, distance: int, odd: bool, out: np.ndarray) -> None:
        """Write to `out` the sum (odd: difference) of the rows at +-distance from each kept row of `x`."""
        last = step * (len(out) - 1) + 1
        plus, minus = (x[radius + d : radius + d + last : step] for d in (distance, -distance))
        if distance:
            (np.subtract if odd else np.add)(plus, minus, out=out)
        else:
            out[:] = plus

    total = np.zeros((height, width))
    rows, product = np.empty((height, padded.shape[1])), np.empty((height, width))  # reused: large temporaries cost page faults
    for i in np.flatnonzero(quadrant.any(axis=1)):
        fold(padded, i, odd_axis == 0, rows)
        for j in np.flatnonzero(quadrant[i]):
            fold(rows.T, j, odd_axis == 1, product.T)
            product *= quadrant[i, j]
            total += product
    return total


def _subband_information(x: np.ndarray, y: np.ndarray, window: int) -> float:
    """Mutual information of one subband in bits [2]_: reference `x`, distorted `y`."""
    m = 3
    height, width = (n // m * m for n in x.shape)
    x, y = x[:height, :width], y[:height, :width]
    gain, noise = _gain_and_noise(x, y, window, m)

    # Covariance of all overlapping 3 x 3 neighbourhoods, mean removed.
    shifted = np.empty((m * m, height - m + 1, width - m + 1))
    for k in range(m * m):
        shifted[k] = x[k % m : height - m + 1 + k % m, k // m : width - m + 1 + k // m]
        shifted[k] -= shifted[k].mean()
    shifted = shifted.reshape(m * m, -1)
    covariance = shifted @ shifted.T / shifted.shape[1]
    eigenvalues = np.linalg.eigvalsh(covariance)
    if not eigenvalues[0] > 1e-12 * max(eigenvalues[-1], 1e-12):
        raise InputError("IFC is undefined for a flat image (the covariance of its subbands is singular): use a natural image.")
    eigenvalues = np.maximum(eigenvalues, 0)

    # Energy of each non-overlapping neighbourhood under that covariance, mean kept.
    blocks = np.stack([x[i::m, j::m].ravel() for j in range(m) for i in range(m)])
    energy = (blocks * np.linalg.solve(covariance, blocks)).sum(axis=0).reshape(height // m, width // m) / m**2

    edge = -(-((window - 1) // 2) // m)
    inner = (slice(edge, -edge), slice(edge, -edge))
    ratio = (gain**2 / (noise + 1e-10) * energy)[inner]
    product = np.ones_like(ratio)  # one logarithm of nine factors (each below 1e25) in place of nine
    for eigenvalue in eigenvalues:
        product *= 1 + ratio * eigenvalue
    return float(np.log2(product).sum())


def _gain_and_noise(x: np.ndarray, y: np.ndarray, window: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Least-squares gain of x to y and the residual variance, in a window about each block's centre."""
    n = window**2

    def box_sum(z: np.ndarray) -> np.ndarray:  # direct sums at the centres: running sums would cancel in flat regions
        radius, centre = window // 2, m // 2
        for axis in (0, 1):
            z = np.moveaxis(z, axis, 0)
            padded = np.pad(z, [(radius, radius), (0, 0)], mode="reflect")
            count = z.shape[0] // m
            z = padded[centre : centre + m * (count - 1) + 1 : m].copy()
            for k in range(1, window):
                z += padded[centre + k : centre + k + m * (count - 1) + 1 : m]
            z = np.moveaxis(z, 0, axis)
        return z

    sum_x, sum_y = box_sum(x), box_sum(y)
    cov = box_sum(x * y) - sum_x * sum_y / n
    var_x = np.maximum(box_sum(x * x) - sum_x**2 / n, 0)
    var_y = np.maximum(box_sum(y * y) - sum_y**2 / n, 0)
    gain = cov / (var_x + 1e-15)
    noise = (var_y - gain * cov) / n
    noise = np.where(gain < 0, var_y, noise)
    gain = np.maximum(gain, 0)
    return gain, np.maximum(noise, 1e-15)
