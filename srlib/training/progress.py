"""How fast a training goes: images a second, and the share of what the device could do."""

import sys
import time
from functools import lru_cache, partial
from typing import Any

from tqdm import tqdm

from srlib.models import macs_per_pixel, make_model
from srlib.training.recipe import Experiment, Recipe

TELL_EVERY = 10  # seconds between lines of a log


def work_per_image(experiment: Experiment, recipe: Recipe) -> float:
    """Floating-point operations of one training image: forward once, backward twice, two for a multiplication and addition."""
    return 6 * _macs_per_pixel(experiment.model, tuple(experiment.arguments.items()), recipe.scales[0]) * recipe.patch**2


@lru_cache(None)
def _macs_per_pixel(model: str, arguments: tuple[tuple[str, Any], ...], scale: int) -> float:
    return macs_per_pixel(partial(make_model, model, dict(arguments)), scale)


class Meter:
    """How fast training goes, time for validation and saving apart.

    Parameters
    ----------
    work : float
        Floating-point operations of an image's iteration.
    batch : int
        Images an iteration.
    peak : float
        Operations a second that the device could do; NaN if not measured.
    """

    def __init__(self, work: float, batch: int, peak: float) -> None:
        self.work, self.batch, self.peak = work, batch, peak
        self.iterations, self.seconds, self.bursts = 0, 0.0, 0
        self.overhead = 0.0  # seconds that the next validation and saving may take

    def start(self) -> None:
        """A burst begins."""
        self.began = time.perf_counter()

    def stop(self, iterations: int) -> None:
        """It ends; the first two, which warm up, count only until there are others."""
        if self.bursts == 2:
            self.iterations, self.seconds = 0, 0.0
        self.bursts += 1
        self.iterations += iterations
        self.seconds += time.perf_counter() - self.began

    def burst(self, seconds: float) -> int:
        """How many iterations take so long: one until that is known, and at most twice the last."""
        if self.bursts < 3:
            return 1 + 4 * (self.bursts == 2)
        return max(1, min(int(seconds * self.iterations / self.seconds), 2 * self.iterations))

    @property
    def images(self) -> float:
        """Images a second."""
        return self.iterations * self.batch / self.seconds

    def summary(self) -> dict[str, float | None]:
        """For the record: images and TFLOP a second, and the share of the peak, `None` if that was not measured."""
        use = self.utilisation
        rates = {"images_per_second": round(self.images, 1), "tflops": round(self.images * self.work / 1e12, 6)}
        return rates | {"utilisation": None if use is None else round(use, 3)}

    @property
    def utilisation(self) -> float | None:
        """Share of the peak; `None` if that was not measured, or while others computed, so that it is exceeded."""
        use = self.images * self.work / self.peak
        return use if use <= 1 else None

    def line(self, loss: float, decibel: float | None) -> str:
        """Loss, validation PSNR if there is one, and speed, in words."""
        validation = "" if decibel is None else f", validation {decibel:.2f} dB"
        use = "" if self.utilisation is None else f", {self.utilisation:.0%} of peak"
        return f"loss {loss:.3g}{validation}, {self.images:,.0f} img/s{use}"

    def left(self, iterations: int) -> str:
        """The time that so many iterations still take."""
        seconds = iterations * self.seconds / self.iterations
        for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
            if seconds >= 2 * length:
                return f"{seconds / length:.0f} {unit} left"
        return f"{seconds:.0f} s left"


class Progress:
    """A bar in a terminal; in a log a line every few seconds.

    Parameters
    ----------
    title : str
        What is trained.
    done, total : int
        Iterations.
    shown : bool
        Whether anything is said at all.
    """

    def __init__(self, title: str, done: int, total: int, shown: bool) -> None:
        terminal = sys.stderr.isatty()
        self.lines = shown and not terminal
        self.bar = tqdm(desc=title, initial=done, total=total, unit="it", disable=not (shown and terminal), smoothing=0.05)
        self.title, self.done, self.total, self.told = title, done, total, time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()

    def update(self) -> None:
        """One iteration more."""
        self.done += 1
        self.bar.update()

    def tell(self, meter: Meter, loss: float, decibel: float | None, last: bool) -> None:
        """Say how it goes, if it is time to."""
        line = meter.line(loss, decibel)
        self.bar.set_postfix_str(line, refresh=False)
        if self.lines and (last or time.monotonic() - self.told > TELL_EVERY):
            left = meter.left(self.total - self.done)
            print(f"{self.title} {self.done:,}/{self.total:,}: {line}, {left}", file=sys.stderr, flush=True)
            self.told = time.monotonic()
