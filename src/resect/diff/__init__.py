"""Two runs compared: their findings, and their answers to the same questions."""
