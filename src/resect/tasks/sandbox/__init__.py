"""The sandbox for programs that a model wrote: `programs` runs one, another process tests it.

Nothing is imported here, because the sandboxed processes have to start quickly.
"""
