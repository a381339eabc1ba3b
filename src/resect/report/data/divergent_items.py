"""What one model keeps and the other loses: items with both raw texts, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from resect.report import formatting as text
from resect.report.data import scope as reading
from resect.report.data.scope import Model, Row, Summary


class Side(NamedTuple):
    """One model's answer to a diverging item at the level where the other lost it."""

    model: Model
    right: bool
    answer: str
    outcome: str
    text: Any


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


def key(row: Mapping[str, Any]) -> tuple[str, str, str, str, float | None]:
    """What finds an answer: task, item, model, recipe, level."""
    names = ("task", "item", "model", "recipe")
    task, item, model, recipe = (str(row.get(name)) for name in names)
    return task, item, model, recipe, text.finite(row.get("level"))


def pairs(summary: Summary, examples: Sequence[Mapping[str, Any]]) -> list[Pair]:
    """Each comparison with the items whose texts are among the examples."""
    texts = {key(row): row for row in examples if row.get("item") is not None}
    by_name = {model.name: model for model in reading.models(summary)}
    found = []
    for row in reading.rows(summary, "divergences"):
        a, b = (by_name.get(str(row.get(side))) for side in ("a", "b"))
        if a is None or b is None:
            continue
        shown = [_item(one, row, texts, by_name) for one in row.get("items") or ()]
        items = tuple(one for one in shown if one is not None)
        says = (
            f"Of {text.count(row.get('n'))} items that both had right intact, the {a.label} "
            f"outlasts the {b.label} on {text.count(row.get('kept_by_a'))}, and the {b.label} "
            f"the {a.label} on {text.count(row.get('kept_by_b'))}."
        )
        unread = len(shown) - len(items)
        found.append(Pair(str(row.get("task")), str(row.get("recipe")), says, items, unread))
    return found


def _item(
    one: Row, row: Row, texts: Mapping[Any, Mapping[str, Any]], by_name: Mapping[str, Model]
) -> Item | None:
    sides = []
    first: Mapping[str, Any] = {}
    shared = {"task": row.get("task"), "recipe": row.get("recipe"), "item": one.get("item")}
    for role in ("keeps", "loses"):
        model = by_name.get(str(one.get(role)))
        answer = texts.get(key({**shared, "model": one.get(role), "level": one.get("level")}))
        if model is None or answer is None:
            return None
        first = first or answer
        outcome = str(answer.get("outcome") or "").replace("_", " ")
        said = text.plain(answer.get("answer"))
        sides.append(Side(model, role == "keeps", said, outcome, answer.get("text")))
    until = one.get("until")
    end = f"until {text.level(until)}" if until is not None else "to the end"
    level = text.level(one.get("level"))
    says = f"{sides[1].model.label} loses it at {level}, {sides[0].model.label} keeps it {end}"
    prompt, gold = str(first.get("prompt") or ""), text.plain(first.get("gold"))
    return Item(text.plain(one.get("item_id")), gold, prompt, says, tuple(sides))
