"""Records: our numbers, how they came to be, and what is still to be run.

Names are imported when they are asked for: who reads a record loads no trainer.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "record": ["Record", "find_record", "find_records", "load_model"],
        "run": ["add_scores", "rerun", "run_experiment"],
        "scores": ["runs"],
    },
)
