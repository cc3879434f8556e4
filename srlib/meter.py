"""How fast a training goes: images a second, and the share of what the device could do."""

import math
import time

from srlib.state import State


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
        use = self.images * self.work / self.peak
        rates = {"images_per_second": round(self.images, 1), "tflops": round(self.images * self.work / 1e12, 4)}
        return rates | {"utilisation": round(use, 3) if math.isfinite(use) else None}

    def line(self, loss: float, state: State) -> str:
        """For the progress bar."""
        decibel = f", validation {state.curve[-1]['psnr']:.2f} dB" if state.curve else ""
        return f"loss {loss:.3g}{decibel}, {self.images:,.0f} img/s, {self.images * self.work / self.peak:.0%} of peak"
