"""The one exception for bad input: a sentence a user can act on."""


class InputError(ValueError):
    """What was given, what is wanted, what to do: one sentence.

    The command line prints it and exits with status 2; a notebook shows the sentence alone, without a traceback.
    """

    def _render_traceback_(self) -> list[str]:
        """Show only the sentence in Jupyter (IPython's hook)."""
        return [f"{type(self).__name__}: {self}"]
