"""Networks as graphs: traced, drawn, and written as recurrences."""
