"""What one model keeps and the other loses: items, each with where it is lost."""

from __future__ import annotations

from typing import NamedTuple

from resect.findings.rows import DivergentItem
from resect.report import formatting as text
from resect.report.data.scope import Scope


class Item(NamedTuple):
    """One item, and which model loses it where."""

    name: str
    says: str


class Pair(NamedTuple):
    """The divergences of two models on one task."""

    task: str
    recipe: str
    says: str
    items: tuple[Item, ...]


def divergent_pairs(scope: Scope) -> list[Pair]:
    """Each comparison of two models with its items."""
    pairs = []
    for row in scope.summary.divergences:
        a, b = scope.by_name.get(row.a), scope.by_name.get(row.b)
        if a is None or b is None:
            continue
        says = (
            f"Of {text.count(row.n)} items that both had right intact, the {a.label} outlasts "
            f"the {b.label} on {text.count(row.kept_by_a)}, and the {b.label} the {a.label} on "
            f"{text.count(row.kept_by_b)}."
        )
        items = tuple(Item(text.plain(item.item_id), _says(item, scope)) for item in row.items)
        pairs.append(Pair(row.task, row.recipe, says, items))
    return pairs


def _says(item: DivergentItem, scope: Scope) -> str:
    keeper, loser = scope.label(item.keeps), scope.label(item.loses)
    end = f"until {text.level(item.until)}" if item.until is not None else "to the end"
    return f"{loser} loses it at {text.level(item.level)}, {keeper} keeps it {end}"
