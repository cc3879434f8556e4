"""The commands of `python -m srlib`."""
