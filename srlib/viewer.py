"""The former home of `compare`, so that scripts which import it from here go on."""

from srlib.widgets.viewer import compare

__all__ = ["compare"]
