"""Methods that put weights to zero."""
