"""srlib: a replication of four super-resolution papers (DRRN, DSRN, RL-CSC, DRN), number by number.

Models, data and metrics for the book of the same name. Start at `srlib.protocol` for how a score comes about, at
`srlib.models` for the networks and at `srlib.papers` for what the papers claim.
"""

__version__ = "0.1.0"
