"""What notebooks call: tables, figures, crops, and the one style of them all."""
