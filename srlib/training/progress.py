"""The speed of a training, and a progress bar or lines of a log that show it."""

import sys
import time

from tqdm import tqdm

LOG_EVERY = 10  # seconds between lines of a log


class Meter:
    """The speed of a training, without the time for validation and saving.

    Parameters
    ----------
    batch : int
        Images an iteration.
    """

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.iterations, self.seconds, self.syncs = 0, 0.0, 0
        self.overhead = 0.0  # seconds that the next validation and saving may take

    def start(self) -> None:
        """Start the clock, before the iterations up to the next sync."""
        self.began = time.perf_counter()

    def stop(self, iterations: int) -> None:
        """Stop the clock after a number of iterations; those before the second sync are a warm-up and count only until then."""
        if self.syncs == 2:
            self.iterations, self.seconds = 0, 0.0
        self.syncs += 1
        self.iterations += iterations
        self.seconds += time.perf_counter() - self.began

    def steps_until_sync(self, seconds: float) -> int:
        """Number of iterations in a span of time: few before the speed is measured, and at most twice as many as so far."""
        if self.syncs < 3:
            return 5 if self.syncs == 2 else 1
        return max(1, min(int(seconds * self.iterations / self.seconds), 2 * self.iterations))

    @property
    def images(self) -> float:
        """Speed in images a second."""
        return self.iterations * self.batch / self.seconds

    def summary(self) -> dict[str, float]:
        """Speed in images a second, as an entry of `record.json`."""
        return {"images_per_second": round(self.images, 1)}

    def line(self, loss: float, val_psnr: float | None) -> str:
        """Loss, validation PSNR if there is one, and speed, as text."""
        validation = "" if val_psnr is None else f", validation {val_psnr:.2f} dB"
        return f"loss {loss:.3g}{validation}, {self.images:,.0f} img/s"

    def left(self, iterations: int) -> str:
        """Time that a number of further iterations takes, as text."""
        seconds = iterations * self.seconds / self.iterations
        for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
            if seconds >= 2 * length:
                return f"{seconds / length:.0f} {unit} left"
        return f"{seconds:.0f} s left"


class Progress:
    """A progress bar in a terminal; in a log a line every few seconds.

    Parameters
    ----------
    title : str
        Name of the experiment.
    done, total : int
        Iterations so far, and of the run.
    visible : bool
        Whether bar or lines are shown at all.
    """

    def __init__(self, title: str, done: int, total: int, visible: bool) -> None:
        terminal = sys.stderr.isatty()
        self.lines = visible and not terminal
        self.bar = tqdm(desc=title, initial=done, total=total, unit="it", disable=not (visible and terminal), smoothing=0.05)
        self.title, self.done, self.total, self.last_line = title, done, total, time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()

    def update(self) -> None:
        """Count one iteration."""
        self.done += 1
        self.bar.update()

    def report(self, meter: Meter, loss: float, val_psnr: float | None, last: bool) -> None:
        """Show loss, validation PSNR and speed in the bar, and in a log if a line is due."""
        line = meter.line(loss, val_psnr)
        self.bar.set_postfix_str(line, refresh=False)
        if self.lines and (last or time.monotonic() - self.last_line > LOG_EVERY):
            left = meter.left(self.total - self.done)
            print(f"{self.title} {self.done:,}/{self.total:,}: {line}, {left}", file=sys.stderr, flush=True)
            self.last_line = time.monotonic()
