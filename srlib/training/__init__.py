"""Training: recipes, patches, one step, the loop, and what a run leaves behind.

Names are imported when they are asked for: who reads a record loads no trainer.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "loop": ["DivergedError", "train"],
        "recipe": ["Experiment", "Recipe"],
    },
)
