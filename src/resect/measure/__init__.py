"""What a model costs: size, memory, speed and energy, measured on the model itself."""
