"""Recovery: train a compressed model to regain what it lost; zeros stay zero."""
