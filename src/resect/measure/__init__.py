"""What a model costs as it stands: sizes, memory, speed and energy, read off the artefact."""
