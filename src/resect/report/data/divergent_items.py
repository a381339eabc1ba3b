"""What one model keeps and the other loses: items with both raw texts, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from resect.findings.rows import Divergence, DivergentItem
from resect.report import formatting as text
from resect.report.data.examples import ShownAnswer
from resect.report.data.scope import Model, Scope

Key = tuple[str, str | None, str, str, float | None]
"""What identifies an answer: task, item, model, recipe, level."""


class Side(NamedTuple):
    """One model's answer to a diverging item at the level where the other lost it."""

    model: Model
    right: bool
    answer: str
    outcome: str
    text: str | None


class Item(NamedTuple):
    """One diverging item, the keeper first."""

    name: str
    gold: str
    prompt: str
    says: str
    sides: tuple[Side, ...]


class Pair(NamedTuple):
    """The divergences of two models on one task."""

    task: str
    recipe: str
    says: str
    items: tuple[Item, ...]
    unread: int


def divergent_pairs(scope: Scope, answers: Sequence[ShownAnswer]) -> list[Pair]:
    """Each comparison with the items whose texts are among the answers."""
    texts: dict[Key, ShownAnswer] = {
        (row.task, row.item, row.model, row.recipe, row.level): row
        for row in answers
        if row.item is not None
    }
    pairs = []
    for row in scope.summary.divergences:
        a, b = scope.by_name.get(row.a), scope.by_name.get(row.b)
        if a is None or b is None:
            continue
        items = [_item(item, row, texts, scope) for item in row.items]
        shown = tuple(item for item in items if item is not None)
        says = (
            f"Of {text.count(row.n)} items that both had right intact, the {a.label} outlasts "
            f"the {b.label} on {text.count(row.kept_by_a)}, and the {b.label} the {a.label} on "
            f"{text.count(row.kept_by_b)}."
        )
        pairs.append(Pair(row.task, row.recipe, says, shown, len(items) - len(shown)))
    return pairs


def _item(
    item: DivergentItem, row: Divergence, texts: Mapping[Key, ShownAnswer], scope: Scope
) -> Item | None:
    names = (item.keeps, item.loses)
    answers = [texts.get((row.task, item.item, n, row.recipe, item.level)) for n in names]
    keeper, loser = (scope.by_name.get(name) for name in names)
    first, second = answers
    if first is None or second is None or keeper is None or loser is None:
        return None
    end = f"until {text.level(item.until)}" if item.until is not None else "to the end"
    says = f"{loser.label} loses it at {text.level(item.level)}, {keeper.label} keeps it {end}"
    sides = (_side(keeper, True, first), _side(loser, False, second))
    return Item(text.plain(item.item_id), text.plain(first.gold), first.prompt or "", says, sides)


def _side(model: Model, right: bool, answer: ShownAnswer) -> Side:
    outcome = (answer.outcome or "").replace("_", " ")
    return Side(model, right, text.plain(answer.answer), outcome, answer.text)
