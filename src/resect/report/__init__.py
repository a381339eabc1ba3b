"""Findings to things people read: a page, a card, tables in a terminal. Never loads torch."""
