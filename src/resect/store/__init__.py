"""Results, embedded: one SQLite file a run."""
