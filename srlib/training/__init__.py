"""Training: recipes, patches, one step, the loop, and the files of a run.

Names are imported on first use, so that reading a record loads no trainer.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "loop": ["DivergedError", "train"],
        "recipe": ["Experiment", "Recipe"],
    },
)
