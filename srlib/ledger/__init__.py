"""The ledger: what the papers claim beside what our runs say, with verdicts.

Names are imported when they are asked for: who reads a record loads no trainer.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "comparisons": ["differences", "find_differences"],
        "rows": ["KINDS", "VERDICTS", "Row", "ledger"],
    },
)
