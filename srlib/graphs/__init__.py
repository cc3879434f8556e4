"""Networks as graphs: traced, drawn, and written as recurrences.

Names are imported when they are asked for: who reads a record loads no trainer.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "recurrence": ["Unrolled"],
        "structure": ["Structure"],
        "tracing": ["trace"],
    },
)
