"""From a trained network to a picture: enlarging, tiling, reading and writing, ONNX.

Names are imported on first use, so that reading a record loads no trainer.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "enlarge": ["as_method", "super_resolve"],
        "onnx": ["export_onnx"],
        "pictures": ["Picture", "open_picture"],
    },
)
