"""Numerics of the verdict: arrays in, arrays out."""
