"""srlib: a replication of four super-resolution papers (DRRN, DSRN, RL-CSC, DRN), number by number.

Models, data and metrics for the book of the same name. Start at `srlib.protocol` for the scores, at `srlib.models` for the
networks and at `srlib.papers` for the papers' claims.
"""

__version__ = "0.1.0"
