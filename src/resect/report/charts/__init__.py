"""Figures as SVG text, from numbers that are ready to draw."""
