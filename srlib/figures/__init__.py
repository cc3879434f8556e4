"""What notebooks call: tables, figures, crops, and the one style of them all.

Names are imported when they are asked for: who reads a record loads no trainer.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "parameters": ["check_parameters"],
        "style": ["show", "table", "use_style"],
        "sweeps": ["sweep", "sweep_figure", "sweep_table"],
        "tables": ["results_table"],
    },
)
