"""Rebuilds the embedded models: vocabulary, weights, training, check, card."""
