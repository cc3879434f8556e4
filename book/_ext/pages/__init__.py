"""What the book computes while it is built: Markdown for the `{generated}` directive. Only the book calls it."""
