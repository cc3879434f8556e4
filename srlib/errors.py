"""The one exception for bad input, with a sentence for the user."""


class InputError(ValueError):
    """Bad input; the message is one sentence with the input, what is expected, and what to do.

    The command line prints it and exits with status 2; a notebook shows the sentence alone, without a traceback.
    """

    def _render_traceback_(self) -> list[str]:
        """Show only the sentence in Jupyter (IPython's hook)."""
        return [f"{type(self).__name__}: {self}"]
