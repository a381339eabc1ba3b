"""Hostile input for every surface, counted: `python -m tools.fuzz [SURFACE...] [--minutes M]`."""
