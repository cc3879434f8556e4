"""Training: recipes, patches, one step, the loop, and what a run leaves behind."""
