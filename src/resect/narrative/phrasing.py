"""How sentences name models, fractions, intervals and differences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from resect.findings.rows import Level, Summary

ROLES = {"specialist": "the specialist", "base": "its base"}
ALONE = {"base": "the base"}
"""How a role is called where no specialist stands beside it."""


class ModelNames(dict[str, str]):
    """How each model is called in sentences; one that is not listed keeps its own name."""

    def __missing__(self, model: str) -> str:
        return model

    @classmethod
    def of(cls, summary: Summary) -> ModelNames:
        """A model is called by its role where that is specialist or base and no other has it."""
        roles = {model.name: model.role for model in summary.models}
        for point in summary.curves:
            roles.setdefault(point.model, point.role)
        counts = Counter(roles.values())
        called = ROLES if "specialist" in counts else ROLES | ALONE
        return cls(
            (name, called[role])
            for name, role in roles.items()
            if role in called and counts[role] == 1
        )


def levels_of(summary: Summary) -> dict[str, str]:
    """What the level of each recipe is a fraction of, where that is known."""
    return {recipe.name: recipe.level_of for recipe in summary.study.recipes if recipe.level_of}


def removed(level: Level, part: str | None) -> str:
    """` of the targeted weights removed` for a fraction of `part`; empty for bits or no part."""
    return "" if level is None or level >= 1 or part is None else f" of the {part} removed"


def level_interval(low: float | None, high: float | None) -> str:
    """The interval of a level; an end that was never reached is `beyond`."""
    shown = [f"{100 * end:.0f} %" if end is not None else "beyond" for end in (low, high)]
    return f"[{', '.join(shown)}]"


def points(share: float) -> str:
    """A share as points: 5 for 0.05, at most one decimal."""
    return f"{round(100 * share, 1):g}"


def change(share: float | None) -> str:
    """A difference of shares as points with its sign: `-2.3`."""
    return "unknown" if share is None else f"{round(100 * share, 1) + 0.0:+.1f}"  # never -0.0


def changes(low: float | None, high: float | None) -> str:
    """The interval of a difference of shares, in points."""
    return f"[{change(low)}, {change(high)}]"


BYTES = ("bytes", "kB", "MB", "GB", "TB")


def size(count: float) -> str:
    """Bytes with three digits: `1.13 MB`."""
    return amount(count, BYTES)


def amount(value: float, units: Sequence[str], gap: str = " ") -> str:
    """A large number with three digits and a unit of a power of 1000."""
    power = 0
    while abs(value) >= 999.5 and power < len(units) - 1:
        value, power = value / 1000, power + 1
    shown = f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"
    return f"{shown}{gap}{units[power]}".rstrip(gap)


def sentence(text: str) -> str:
    """The text with a capital and a full stop."""
    return text[:1].upper() + text[1:] + "." if text else text
