"""Hostile input for every surface, by the thousand: `python -m tools.fuzz [SURFACE] [--n N]`."""
