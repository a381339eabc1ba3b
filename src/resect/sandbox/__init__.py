"""Programs that a model wrote: `programs` runs them behind the walls that `jail` puts up.

Nothing is imported here: a jail starts a bare Python, which has to be quick.
"""
