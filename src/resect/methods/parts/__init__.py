"""Methods that cut whole parts out, so that the model is smaller."""
