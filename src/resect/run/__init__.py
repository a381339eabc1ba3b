"""Run a study: plan it, walk its sweeps, store what comes back, find what is asked for."""
