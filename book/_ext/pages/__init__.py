"""Generators of pages: Markdown for the `{generated}` directive, computed while the book is built."""
