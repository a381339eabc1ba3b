"""Findings as the numbers of figures and the rows of tables."""
