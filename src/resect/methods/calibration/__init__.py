"""Calibration: the text that activations come from, and how they are captured."""
