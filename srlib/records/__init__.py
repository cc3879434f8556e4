"""Records: our numbers, how they came to be, and what is still to be run."""
