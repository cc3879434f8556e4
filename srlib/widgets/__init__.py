"""What readers touch: the viewer, the explorer, the states of a network."""
