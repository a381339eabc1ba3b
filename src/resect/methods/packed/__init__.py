"""Methods that store weights in fewer bits, or load a checkpoint that somebody else compressed."""
