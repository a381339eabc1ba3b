"""Findings to things people read: a page, a card, tables in a terminal. Never loads torch."""

from __future__ import annotations

from resect.report import card, page, terminal

__all__ = ["card", "page", "terminal"]
