"""The tables and figures of the four papers, and the page of the book on which each is regenerated (`items.csv`)."""

from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from srlib.papers.published import FOLDER


@dataclass(frozen=True)
class Item:
    """One table or figure of a paper."""

    paper: str
    name: str  # 'Table 2', 'Figure 6'
    source: str  # file and line of its caption
    title: str  # what it shows, in our words
    page: str  # name of the notebook that regenerates it


@lru_cache
def items(paper: str) -> tuple[Item, ...]:
    """The tables and figures of one paper, in the order in which it prints them."""
    table = pd.read_csv(FOLDER / "items.csv", dtype=str, keep_default_na=False)
    return tuple(Item(**row) for row in table[table.paper == paper].to_dict("records"))
