"""What a notebook does with `train=True`: train experiments here and now, and score them beside the committed records."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from srlib.datasets import first_available, open_images
from srlib.papers import get_experiment
from srlib.records.record import Record, results_folder
from srlib.records.run import add_scores, run_experiment


@dataclass(frozen=True)
class Rerun:
    """Fresh runs and the set that they were scored on."""

    records: tuple[Record, ...]
    test_set: str
    stand_in: bool  # trained or scored on other data than the experiments': such numbers stand apart

    def table(self, protocol: str = "") -> pd.DataFrame:
        """One row a run and scale, with PSNR (dB) and SSIM under its first protocol or the one given."""
        rows = []
        for record in self.records:
            experiment = get_experiment(record.info["experiment"])
            name = protocol or experiment.protocols[0]
            for scale in _scales(record):
                scores = {metric: record.mean(self.test_set, scale, metric, name) for metric in ("psnr", "ssim")}
                rows.append(
                    {"experiment": experiment.name, "dataset": self.test_set, "scale": scale, "protocol": name}
                    | {"iterations": record.info["iterations_done"], "seconds": round(record.info["seconds"])}
                    | scores
                )
        return pd.DataFrame(rows)


def _scales(record: Record) -> tuple[int, ...]:
    return tuple(record.info["recipe"]["scales"])


def rerun(
    names: Iterable[str],
    notebook: str,
    *,
    seed: int = 0,
    budget: float = 1.0,
    device: str = "auto",
    data: str = "",
    runs: str = "",
) -> Rerun:
    """Train experiments one after the other and score each; a killed run goes on where it stopped.

    Parameters
    ----------
    names : iterable of str
        Experiments, narrow ones such as `rlcsc_k15_w16` included.
    notebook : str
        Its name: records go below `results/runs/<notebook>/`, never among the committed ones.
    seed, budget, device
        As for `srlib.training.loop.train`; the recipe is `fast`.
    data : str
        Training set or folder in place of the experiment's own.
    runs : str
        Another folder for the records.
    """
    experiments = [get_experiment(name) for name in names]
    test_set = first_available("Set5")
    records, stand_in = [], test_set != "Set5"
    for experiment in experiments:
        training_set = data or first_available(experiment.data, "T91", otherwise="SampleTrain")
        stand_in |= training_set != experiment.data
        root = Path(runs) if runs else results_folder() / "runs" / notebook / f"{Path(training_set).name}_budget{budget:g}"
        record = run_experiment(experiment, root, seed, budget=budget, data=training_set, device=device)
        record = add_scores(record, open_images(test_set), _scales(record), experiment.protocols, progress=False)
        records.append(record)
        done = record.info
        print(f"{experiment.name}: {done['iterations_done']} iterations on {done['data']} in {done['seconds']:.0f} s")
    if stand_in:
        print(f"Scored on {test_set}. Training or test data are not the experiments': these numbers stand apart.")
    return Rerun(tuple(records), test_set, stand_in)
