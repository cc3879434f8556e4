"""The tables, figures and crops of the notebooks, and their style.

Names are imported on first use, so that reading a record loads no trainer.
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
