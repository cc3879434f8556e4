"""The speed of a training, and a progress bar or lines of a log that show it."""

import sys
import time

from tqdm import tqdm

LOG_EVERY = 10  # seconds between lines of a log


class Progress:
    """The speed of a training between `start` and `stop`, and a progress bar in a terminal; in a log a line every few seconds.

    Parameters
    ----------
    title : str
        Name of the experiment.
    done, total : int
        Iterations so far, and of the run.
    batch : int
        Images an iteration.
    visible : bool
        Whether bar or lines are shown at all.
    """

    def __init__(self, title: str, done: int, total: int, batch: int, visible: bool) -> None:
        terminal = sys.stderr.isatty()
        self.lines = visible and not terminal
        self.bar = tqdm(desc=title, initial=done, total=total, unit="it", disable=not (visible and terminal), smoothing=0.05)
        self.title, self.done, self.total, self.batch, self.last_line = title, done, total, batch, time.monotonic()
        self.iterations, self.seconds, self.syncs = 0, 0.0, 0  # that were measured

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()

    def start(self, seconds: float) -> None:
        """Start the clock; a sync is due after so many seconds, but after at most twice the iterations that were measured."""
        count = min(int(seconds * self.iterations / self.seconds), 2 * self.iterations) if self.iterations else 1
        self.began, self.first, self.next_sync = time.perf_counter(), self.done, self.done + max(1, count)

    def update(self) -> None:
        """Count one iteration."""
        self.done += 1
        self.bar.update()

    @property
    def sync_due(self) -> bool:
        """Whether the loss is to be read, which waits for the device."""
        return self.done >= self.next_sync

    def stop(self) -> None:
        """Stop the clock; what was done by the second sync is a warm-up, which counts only until the third."""
        if self.syncs == 2:
            self.iterations, self.seconds = 0, 0.0
        self.syncs += 1
        self.iterations += self.done - self.first
        self.seconds += time.perf_counter() - self.began

    @property
    def images_per_second(self) -> float:
        """Speed in images a second, without validation and saving."""
        return self.iterations * self.batch / self.seconds

    def report(self, loss: float, val_psnr: float | None, last: bool) -> None:
        """Show loss, validation PSNR (dB) if there is one, and speed: in the bar, and in a log if a line is due."""
        validation = "" if val_psnr is None else f", validation {val_psnr:.2f} dB"
        line = f"loss {loss:.3g}{validation}, {self.images_per_second:,.0f} img/s"
        self.bar.set_postfix_str(line, refresh=False)
        if self.lines and (last or time.monotonic() - self.last_line > LOG_EVERY):
            left = (self.total - self.done) * self.seconds / self.iterations
            unit, length = next((u for u in (("d", 86_400), ("h", 3_600), ("min", 60)) if left >= 2 * u[1]), ("s", 1))
            text = f"{self.title} {self.done:,}/{self.total:,}: {line}, {left / length:.0f} {unit} left"
            print(text, file=sys.stderr, flush=True)
            self.last_line = time.monotonic()
