"""Findings: typed rows made of answers by statistics. No prose, no torch."""
