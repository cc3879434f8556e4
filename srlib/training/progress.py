"""How fast a training goes, and a bar or lines of a log that say so."""

import sys
import time

from tqdm import tqdm

TELL_EVERY = 10  # seconds between lines of a log


class Meter:
    """How fast training goes, time for validation and saving apart.

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
        """The iterations up to the next sync begin."""
        self.began = time.perf_counter()

    def stop(self, iterations: int) -> None:
        """They have ended; those up to the second sync, which warm up, count only until there are others."""
        if self.syncs == 2:
            self.iterations, self.seconds = 0, 0.0
        self.syncs += 1
        self.iterations += iterations
        self.seconds += time.perf_counter() - self.began

    def steps_until_sync(self, seconds: float) -> int:
        """How many iterations take so long: one until that is known, and at most twice as many as so far."""
        if self.syncs < 3:
            return 1 + 4 * (self.syncs == 2)
        return max(1, min(int(seconds * self.iterations / self.seconds), 2 * self.iterations))

    @property
    def images(self) -> float:
        """Images a second."""
        return self.iterations * self.batch / self.seconds

    def summary(self) -> dict[str, float]:
        """For the record: images a second."""
        return {"images_per_second": round(self.images, 1)}

    def line(self, loss: float, val_psnr: float | None) -> str:
        """Loss, validation PSNR if there is one, and speed, in words."""
        validation = "" if val_psnr is None else f", validation {val_psnr:.2f} dB"
        return f"loss {loss:.3g}{validation}, {self.images:,.0f} img/s"

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

    def tell(self, meter: Meter, loss: float, val_psnr: float | None, last: bool) -> None:
        """Say how it goes, if it is time to."""
        line = meter.line(loss, val_psnr)
        self.bar.set_postfix_str(line, refresh=False)
        if self.lines and (last or time.monotonic() - self.told > TELL_EVERY):
            left = meter.left(self.total - self.done)
            print(f"{self.title} {self.done:,}/{self.total:,}: {line}, {left}", file=sys.stderr, flush=True)
            self.told = time.monotonic()
