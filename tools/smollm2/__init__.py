"""Trains the adapter of the real specialist: data, batches, adapter, check, training."""
