"""Findings to things people read: a page, a card, tables in a terminal. Never loads torch."""

from __future__ import annotations

from resect.report import card, figures, page, terminal

__all__ = ["card", "figures", "page", "terminal"]
