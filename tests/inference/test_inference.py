"""Inference: tiled equals whole, turned equals turned, any picture in and the same kind out, in the memory promised."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from small_networks import SMALL, images, small

from srlib.errors import InputError
from srlib.images import imresize, rgb_to_ycbcr, ycbcr_to_rgb
from srlib.inference.enlarge import as_method, super_resolve
from srlib.inference.onnx import export_onnx, to_onnx
from srlib.inference.tiling import run_network
from srlib.models import DRRN, DSRN, VDSR, SRModel
from srlib.protocol import PROTOCOLS
from srlib.training.checkpoint import save_weights


def seldom(**names):
    """Parameters by how often they run: `slow`, `weekly`."""
    return [pytest.param(name, marks=getattr(pytest.mark, mark)) for mark in names for name in names[mark]]


def pair(name, height, width):
    """A small network, an LR image and its interpolation as arrays, and the scale."""
    model = SMALL[name]
    lr, ilr = (x[0].permute(1, 2, 0).numpy().astype(np.float64) for x in images(model, height, width))
    return model, lr if model.colour == "rgb" else lr[..., 0], ilr[..., 0], model.scale or 1


def whole_output(model, lr, ilr, scale, **options):
    """The pieces that a network writes as one image, not clipped; each pixel is written once."""
    sr, times = np.full((*ilr.shape[:2], *lr.shape[2:]), np.nan), np.zeros(ilr.shape[:2], int)

    def write(window, piece):
        sr[window] = piece
        times[window] += 1

    size = tuple(n // scale for n in ilr.shape[:2])
    run_network(model, lr.__getitem__, ilr.__getitem__, write, size, scale, **options)
    assert (times == 1).all()
    return sr


def printed(code):
    """The whole numbers that a new process prints."""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return [int(number) for number in out.split()]


def assert_near(image, other, tolerance):
    """Equal to float32's rounding, which is relative to the largest value."""
    np.testing.assert_allclose(image, other, rtol=0, atol=tolerance * np.abs(other).max())


@small
def test_tiled_is_whole_at_any_tile(name, monkeypatch):
    """Identity: sizes that are no multiple of the tile, tiles from the overlap on; or room in memory for a few rows only."""
    model, lr, ilr, scale = pair(name, 37, 45)
    whole = whole_output(model, lr, ilr, scale, tile=4096)
    for extra in (0, 3, 40):
        zoom = 1 if model.domain == "ilr" else scale
        assert_near(whole_output(model, lr, ilr, scale, tile=zoom * model.radius + extra), whole, 2e-6)
    monkeypatch.setattr("srlib.inference.tiling.MEMORY", 3e5)
    assert_near(whole_output(model, lr, ilr, scale), whole, 2e-6)


def test_a_smaller_border_would_leave_seams():
    """The overlap is not wasted: one pixel less than the radius and the seam is there (positive weights: nothing cancels)."""
    model = DRRN(1, 2, 4)
    for parameter in model.parameters():
        parameter.data.abs_().clamp_min_(0.05)
    ilr = np.random.default_rng(0).random((40, 40))
    whole = whole_output(model, ilr, ilr, 1, tile=4096)
    model.radius -= 1
    tiled = whole_output(model, ilr, ilr, 1, tile=10)
    assert np.abs(tiled - whole).max() > 1e-5 * np.abs(whole).max()


def test_what_cannot_be_done_is_said():
    """What a tile must be, in output pixels; the scale of a network, and those of the papers."""
    for network, scale, options, said in (
        (DSRN(2, 7, 4), 2, {"tile": 33}, r"tile of 33 pixels is smaller than the overlap of 34 .* give at least 34"),
        (SMALL["dsrn_x3"], 2, {}, "enlarges 3 times, not 2"),
        (DSRN(2, 7, 4), 2, {"tile": -1}, "tile of -1 pixels is smaller than the overlap"),
        (None, 2, {"tile": 0}, "tile of 0 pixels cannot be"),
        (SMALL["drrn"], 5, {}, "Scale 5 is not defined"),
    ):
        with pytest.raises(InputError, match=said):
            super_resolve(np.zeros((20, 20), np.uint8), network, scale, **options)


@pytest.mark.parametrize("name", ["drrn", "dsrn_x3", "drn_x2"])
def test_the_self_ensemble_knows_no_direction(name):
    """Identity: the average over the eight symmetries of the square commutes with each of them; a network alone does not."""
    model, lr, ilr, scale = pair(name, 12, 17)
    turned = [np.rot90(x[:, ::-1]) for x in (lr, ilr)]
    for ensemble, same in ((True, True), (False, False)):
        ours = whole_output(model, *turned, scale, self_ensemble=ensemble)
        theirs = np.rot90(whole_output(model, lr, ilr, scale, self_ensemble=ensemble)[:, ::-1])
        assert np.allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max()) == same


@pytest.mark.parametrize("name", ["drrn", "dsrn_x2", "drn_x2"])
def test_an_ensemble_in_tiles_is_the_ensemble(name, monkeypatch):
    """Identity: also for a network in two parts, each part of which is turned."""
    model, lr, ilr, scale = pair(name, 37, 45)
    whole = whole_output(model, lr, ilr, scale, self_ensemble=True)
    monkeypatch.setattr("srlib.inference.tiling.MEMORY", 3e5)
    assert_near(whole_output(model, lr, ilr, scale, self_ensemble=True), whole, 2e-6)


class Shuffled(SRModel):
    """A luma network of the LR image alone."""

    domain, scale, radius, depth = "lr", 2, 1, 1

    def __init__(self):
        super().__init__()
        self.reconstruction = torch.nn.Conv2d(1, 4, 3, padding=1)

    def forward(self, lr):
        return torch.nn.functional.pixel_shuffle(self.reconstruction(lr), 2)


@pytest.mark.parametrize("model", [SMALL["drrn"], SMALL["dsrn_x2"], Shuffled()], ids=["ilr", "lr+ilr", "lr"])
def test_luma_networks_leave_chroma_bicubic(model, photo):
    """Identity: Cb and Cr of the result are those of the bicubic image, Y is the network's, in tiles; and all is clipped."""
    lr = photo / 255
    ilr = imresize(lr, 2)
    expected = rgb_to_ycbcr(ilr)
    expected[..., 0] = whole_output(model, rgb_to_ycbcr(lr)[..., 0], expected[..., 0], 2)
    sr = whole_output(model, lr, ilr, 2, tile=100)
    assert_near(sr, ycbcr_to_rgb(expected), 2e-6)
    for clipped in (as_method(model)(lr, ilr, 2), super_resolve(lr, model, 2)):
        assert_near(clipped, sr.clip(0, 1), 2e-6)


def test_every_protocol_scores_every_kind_of_network(photo):
    """Luma or RGB, from LR, ILR or both; a grey image is three equal channels to an RGB network."""
    for name in ("drrn", "dsrn_x3", "drn_x3"):
        for protocol in PROTOCOLS.values():
            for image in (photo, photo[..., 1]):
                assert np.isfinite(protocol.evaluate(image, 3, as_method(SMALL[name]), ("psnr",)).psnr)


def test_a_network_that_gives_nan_is_refused(photo):
    """An integer has no NaN: it would become any grey. A method passes it on, and a protocol refuses it."""
    model = VDSR(3, 4)
    torch.nn.init.constant_(model.reconstruction.weight, np.nan)
    with pytest.raises(InputError, match="The array: the network gives NaN"):
        super_resolve(photo, model, 2)
    assert np.isnan(as_method(model)(photo, imresize(photo, 2), 2)).all()


@pytest.mark.parametrize("shape", [(20, 24), (20, 24, 2), (20, 24, 3), (20, 24, 4), (2, 2), (2, 300, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("name", ["drrn", "dsrn_x2", "drn_x2"])
def test_arrays_come_back_in_their_kind(shape, dtype, name):
    """Same dtype and channels, scaled sides; alpha is bicubic whatever the network."""
    top = {np.uint8: 255, np.uint16: 65535, np.float32: 1}[dtype]
    image = (np.random.default_rng(0).random(shape) * top).astype(dtype)
    sr = super_resolve(image, SMALL[name], 2)
    assert (sr.dtype, sr.shape) == (dtype, (2 * shape[0], 2 * shape[1], *shape[2:]))
    if shape[2:] in ((2,), (4,)):
        np.testing.assert_array_equal(sr[..., -1], super_resolve(image, None, 2)[..., -1])


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("shape", [(2, 2), (2, 31), (17, 23, 2), (23, 17, 4)])
def test_bicubic_in_tiles_is_imresize_bit_for_bit(shape, scale):
    """Identity: with alpha, at the edges, and with tiles of a few pixels."""
    image = np.random.default_rng(0).random(shape)
    for tile in (5, 16, None):
        np.testing.assert_array_equal(super_resolve(image, None, scale, tile=tile), imresize(image, scale).clip(0, 1))


def test_an_untrained_residual_network_is_bicubic(photo):
    """Identity: with its last layer at zero a residual network returns MATLAB's bicubic image, rounded."""
    model = VDSR(4, 4)
    torch.nn.init.zeros_(model.reconstruction.weight)
    ours, bicubic = (super_resolve(photo, m, 3).astype(int) for m in (model, None))
    assert np.abs(ours - bicubic).max() <= 1  # float32 at a tie
    assert (ours != bicubic).mean() < 1e-3


# An export takes seconds: at each push a network of each domain.
@pytest.mark.parametrize("name", seldom(slow=("drrn", "dsrn_x2", "drn_x4"), weekly=("srcnn", "vdsr_bn", "drcn", "rlcsc")))
def test_other_runtimes_compute_the_same(name, tmp_path):
    """Witness: ONNX Runtime, at a size that the export has not seen."""
    model = SMALL[name].eval()
    lr, ilr = (x[:1] for x in images(model, 23, 31))
    assert export_onnx(model, tmp_path / "model.onnx", lr, ilr) < 1e-5
    assert (tmp_path / "model.onnx").stat().st_size > 1000


def test_an_export_that_differs_is_not_written(tmp_path, monkeypatch):
    """A wrong file must not look like a right one."""
    other = to_onnx(VDSR(3, 4))
    monkeypatch.setattr("srlib.inference.onnx.to_onnx", lambda model: other)
    model = VDSR(3, 4)
    with pytest.raises(InputError, match="was not written: ONNX Runtime differs"):
        export_onnx(model, tmp_path / "model.onnx", *(x[:1] for x in images(model)))
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_memory_is_steady_and_given_back():
    """In a fresh process: a second layer's worth of memory costs few page faults inside, and the process ends up no larger.

    So it is in nearly every turn, whatever small blocks the process holds: before each some are taken and some are freed. One
    process in twelve was seen to miss one turn of thirty; without `_fill_small_bins` a quarter of all turns are missed.
    """
    code = """
import ctypes, random, resource, torch
from srlib.cli.memory import steady_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16 * 2**20)  # 64 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
random.seed(0)
faults()
outside, before = min(faults() for _ in range(3)), resident()
inside, blocks = [], []
for _ in range(30):
    blocks += [libc.malloc(random.randrange(16, 200)) for _ in range(random.randrange(60))]
    random.shuffle(blocks)
    for _ in range(random.randrange(len(blocks) + 1)):
        libc.free(blocks.pop())
    with steady_memory():
        faults()
        inside.append(min(faults() for _ in range(3)))
print(outside, sorted(inside)[-4], resident() - before)
"""
    outside, inside, grown = printed(code)
    assert inside < 200
    assert outside > 10 * inside or outside < 200  # where huge pages are always on, there are few outside either
    assert grown < 32 * 2**20


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_what_the_allocator_keeps_is_given_back_between_tiles():
    """But only when it is much; here, a fifth of a gigabyte under a block in use."""
    code = """
import psutil, torch
from srlib.cli.memory import steady_memory
from srlib.inference import tiling
with steady_memory():
    floor = psutil.Process().memory_info().rss
    freed, kept = torch.ones(50_000_000), torch.ones(1000)
    del freed
    before = psutil.Process().memory_info().rss
    print(before - floor, tiling._trim(floor) - floor, before - psutil.Process().memory_info().rss)
    tiling.MEMORY = 1e8
    print(tiling._trim(floor) - floor, before - psutil.Process().memory_info().rss)
"""
    grown, floor, given_back, new_floor, given_back_at_last = printed(code)
    assert grown > 190e6
    assert (floor, given_back < 1e6) == (0, True)
    assert new_floor < 20e6
    assert given_back_at_last > 180e6


@pytest.mark.parametrize(
    "name",
    seldom(slow=("vdsr", "drn_x4"), weekly=("rlcsc_k15", "drrn_b1u25", "dsrn_t7_x2", "dsrn_t7_x4", "drn_plus_x4")),
)
def test_a_large_image_stays_below_one_and_a_half_gigabytes(name):
    """Peak memory of a process that enlarges a colour image to 2048 x 2048, of which three tiles are computed."""
    code = f"""
import resource, numpy as np
from srlib.inference import tiling as tiles
from srlib.models import MODELS
from srlib.inference.enlarge import super_resolve
model = MODELS[{name!r}]()
scale = model.scale or 2
tiles.tqdm = lambda inners, **_: inners[:3]  # the peak is reached in the second
sr = super_resolve(np.zeros((2048 // scale, 2048 // scale, 3), np.uint8), model, scale)
print(sr.shape[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    side, peak = printed(code)
    assert side == 2048
    assert peak / 1e6 < 1.5


def upscale_peak(source, target, *options):
    """Peak memory in bytes of a process of `upscale`."""
    command = [sys.executable, "-m", "srlib", "upscale", str(source), str(target), *map(str, options)]
    code = f"""
import resource, subprocess
subprocess.run({command}, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
    return 1024 * printed(code)[0]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts in kilobytes")
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_memory_does_not_grow_with_the_picture_beyond_its_pixels(suffix, photo, tmp_path):
    """Identity: what a command takes beside the pixels, in and out, is the same for four times as many."""
    save_weights(tmp_path / "w.safetensors", DRRN(1, 1, 4), "drrn_b1u1_w4")
    options, rest = ("--model", "drrn_b1u1_w4", "--weights", tmp_path / "w.safetensors", "--scale", 3, "--tile", 500), []
    for side in (1000, 2000):
        Image.fromarray(np.tile(photo, (14, 12, 1))[:side, :side]).save(tmp_path / "in.png")
        rest.append(upscale_peak(tmp_path / "in.png", tmp_path / f"out{suffix}", *options) - 3 * side**2 * (1 + 9))
    assert rest[1] - rest[0] < 60e6  # a second copy of the pixels is 81 MB


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts in kilobytes")
def test_a_photograph_of_12_megapixels_is_enlarged_in_two_gigabytes(photo, tmp_path):
    """To 108 megapixels, which are 324 MB in 8 bits and 2.6 GB in float64."""
    Image.fromarray(np.tile(photo, (20, 24, 1))[:3000, :4000]).save(tmp_path / "in.png")
    assert upscale_peak(tmp_path / "in.png", tmp_path / "out.png", "--model", "bicubic", "--scale", 3) < 2e9
    header = (tmp_path / "out.png").read_bytes()[16:24]
    assert (int.from_bytes(header[:4]), int.from_bytes(header[4:])) == (12000, 9000)
