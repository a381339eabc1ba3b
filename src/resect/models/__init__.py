"""Models: loaded safely, where they lie, and the files that they are."""
