"""Findings from answers: curves, intervals, robustness, cliffs, comparisons, the verdict.

Torch-free. `summarise` makes summary.json of a run's answers; `same_summary` compares two.
"""

from resect.analysis.same import same_summary
from resect.analysis.summary import summarise

__all__ = ["same_summary", "summarise"]
