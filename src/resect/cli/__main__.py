"""`python -m resect.cli`."""

from resect.cli import entry

entry()
