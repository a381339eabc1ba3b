"""Programs that a model wrote: `programs` tries one behind `walls`, tested by another process.

Nothing is imported here: the processes behind the walls have to start quickly.
"""
