"""Interactive elements of notebooks and pages: the viewer, the explorer, the states of a network.

Names are imported on first use, so that reading a record loads no trainer.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "explorer": ["explore"],
        "states": ["show_states"],
        "viewer": ["compare"],
    },
)
