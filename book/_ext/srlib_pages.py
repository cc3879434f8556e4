"""The `{generated}` directive: Markdown that the modules `pages` of srlib compute while the book is built.

```{generated} scoreboard
```
"""

from functools import partial

from docutils import nodes
from pages import compute as compute_pages
from pages import landing
from pages import ledger as ledger_pages
from pages import networks as pages
from pages import recipes as recipe_pages
from pages import records as record_pages
from pages import replications as replication_pages
from pages import training as training_pages
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from srlib.figures.orderings import trained_orders
from srlib.figures.text import mixed_protocols
from srlib.papers import PAPERS

PAGES = {
    "scoreboard": ledger_pages.scoreboard,
    "ledger": ledger_pages.ledger_text,
    "mixed-protocols": mixed_protocols,
    "quotations": ledger_pages.quotations,
    **{f"walk-{paper}": partial(ledger_pages.walk, paper) for paper in PAPERS},
    **{f"open-{paper}": partial(ledger_pages.left_open, paper) for paper in PAPERS},
    **{f"claims-{paper}": partial(landing.claims_of, paper) for paper in PAPERS},
    "settings-drrn": training_pages.settings,
    **{f"orders-{paper}": partial(trained_orders, paper) for paper in PAPERS},
    **{f"sizes-{paper}": partial(pages.models, paper) for paper in PAPERS},
    **{f"replications-{paper}": partial(replication_pages.others, paper) for paper in (*PAPERS, "baselines")},
    **{f"margin-{paper}": partial(replication_pages.margin, paper) for paper in PAPERS},
    "margins": replication_pages.margins,
    "standing": landing.standing,
    "so-far": ledger_pages.so_far,
    "picture": landing.picture,
    "protocols": pages.protocols,
    "models": pages.models,
    "speed": pages.speed,
    "recipes": training_pages.recipes,
    "cpu-profile": training_pages.cpu_profile,
    "training-speed": training_pages.training_speed,
    "recipe-curves": training_pages.recipe_curves,
    "precisions": training_pages.precisions,
    "cost": training_pages.cost,
    "dark": recipe_pages.dark,
    "equal-compute": compute_pages.equal_compute,
    "trials": recipe_pages.trials,
    "trials-drrn": partial(recipe_pages.trials, "drrn"),
    "changed": recipe_pages.changed,
    "status": pages.status,
    "records": record_pages.records,
    "flagships": record_pages.flagships,
}


class Generated(SphinxDirective):
    """Insert one of `PAGES`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the generated Markdown in place."""
        if self.arguments[0] not in PAGES:
            raise self.error(f"{self.arguments[0]!r} is unknown: choose one of {', '.join(PAGES)}.")
        self.env.note_reread()  # records may change without the page's source
        parsed = self.parse_text_to_nodes(PAGES[self.arguments[0]](), allow_section_headings=True)
        if any(isinstance(node, nodes.section) for node in parsed):  # which must stay at the top, for the page's contents
            return parsed
        return [nodes.container("", *parsed, classes=["generated"])]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("generated", Generated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
