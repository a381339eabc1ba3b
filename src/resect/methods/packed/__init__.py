"""Methods that store weights in fewer bits, or take a checkpoint somebody else compressed."""
