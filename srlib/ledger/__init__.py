"""The ledger: what the papers claim beside what our runs say, with verdicts."""
