"""Tune back: what a compressed model lost is trained into what is left of it, zeros kept."""
