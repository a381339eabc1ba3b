"""Models without weights: what each says to real items, read by the real tasks, as frames."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from resect import tasks
from resect.record import ABSTAIN, Item, RawAnswer
from resect.tasks import Source, readers
from resect.tasks.contract import chosen

SURE, WORDS = math.log(0.97), "the of with was not and patient group study more less after in a"


class Asked(NamedTuple):
    """An item, what its task shows as its right answer, and its label where it has labels."""

    item: Item
    shown: str
    labels: tuple[str, ...]

    @property
    def right(self) -> str | None:
        """The label that is right; another one where the context was swapped: it has to change."""
        if not self.labels:
            return None
        meant = [x for x in self.labels if self.item.meaning(x) == self.item.gold]
        if self.item.variant == "swapped":
            return next(x for x in self.labels if x not in meant)
        return meant[0]

    def says(self, label: str) -> str:
        """A label as text."""
        return f" {label}"


Said = tuple[str, str | None]
"""A text, and the label that the option scores prefer (None: all are the same)."""


def _intact(asked: Asked, pool: Sequence[Asked], rng: random.Random) -> Said:
    """Right three times in four; of lists and texts it gives the most part."""
    own = random.Random(asked.item.parent or asked.item.id)  # knows a question, however asked
    if asked.labels:
        right = str(asked.right)
        others = [x for x in asked.labels if x != right] or [right]
        label = right if own.random() < 0.8 else rng.choice(others)
        return asked.says(label), label
    return (asked.shown if own.random() < 0.75 else rng.choice(pool).shown), None


def _label(pick: Callable[[Asked, random.Random], str]) -> Callable[..., Said]:
    def says(asked: Asked, pool: Sequence[Asked], rng: random.Random) -> Said:
        if asked.labels:
            label = pick(asked, rng)
            return asked.says(label), label
        return pick(pool[0], rng) if pool[0].labels else _common(pool), None

    return says


def _common(pool: Sequence[Asked]) -> str:
    return Counter(one.shown for one in pool).most_common(1)[0][0]


def _majority(asked: Asked, pool: Sequence[Asked], rng: random.Random) -> Said:
    if not asked.labels:
        return _common(pool), None
    counts = Counter(one.right for one in pool if one.item.variant is None)
    label = max(asked.labels, key=lambda x: counts[x])
    return asked.says(label), label


def _random(asked: Asked, pool: Sequence[Asked], rng: random.Random) -> Said:
    if not asked.labels:
        others = [one for one in pool if one.item.gold != asked.item.gold]
        return rng.choice(others).shown, None
    label = rng.choice(asked.labels)
    return asked.says(label), label


def _uniform(asked: Asked, pool: Sequence[Asked], rng: random.Random) -> Said:
    if not asked.labels:
        return " " + " ".join(rng.choices(WORDS.split(), k=12)), None
    return asked.says(rng.choice(asked.labels)), None


def _abstain(asked: Asked, pool: Sequence[Asked], rng: random.Random) -> Said:
    out = [x for x in asked.labels if asked.item.means.get(x) == ABSTAIN]
    return (asked.says(out[0]), out[0]) if out else (" I do not know.", None)


def _garbage(asked: Asked, pool: Sequence[Asked], rng: random.Random) -> Said:
    text = "".join(chr(rng.randrange(0x2500, 0x2600)) for _ in range(30))
    return text, rng.choice(asked.labels) if asked.labels else None


MODELS: dict[str, Callable[[Asked, Sequence[Asked], random.Random], Said]] = {
    "intact": _intact,
    "oracle": lambda a, pool, rng: (a.says(str(a.right)), a.right) if a.labels else (a.shown, None),
    "always-yes": lambda a, pool, rng: (
        (" yes", "yes" if "yes" in a.labels else a.labels[-1] if a.labels else None)
    ),
    "majority": _majority,
    "random": _random,
    "silent": lambda a, pool, rng: ("", None),
    "garbage": _garbage,
    "always-abstain": _abstain,
    "uniform": _uniform,
    "constant": _label(lambda a, rng: a.labels[0]),
}
CONTROLS = [name for name in MODELS if name not in ("intact", "oracle")]


def asked_of(name: str, source: Source) -> list[Asked]:
    """The items of a task with their right answers, variants included."""
    task: Any = tasks.get(name)
    items = task.items(source)
    labelled = task.info.kind == "label"
    plain = [item for item in items if item.variant is None]
    questions = task.limited(task.questions(source), source.limit)
    shown = {i.id: task.shown(q) for i, q in zip(plain, questions, strict=True)}
    return [Asked(item, shown.get(item.id, ""), item.labels if labelled else ()) for item in items]


def answers(name: str, source: Source, models: Sequence[str] = tuple(MODELS)) -> pd.DataFrame:
    """One row a model and item, as the store has them."""
    task, pool = tasks.get(name), asked_of(name, source)
    reader = readers.of(task.describe(source))
    rows = []
    for model in models:
        rng = random.Random(f"{model} {name}")
        for one in pool:
            text, label = MODELS[model](one, pool, rng)
            scores = _scores(model, one, label) if one.item.choices else None
            text = text.split(task.info.stop[0])[0] if task.info.stop else text
            raw = RawAnswer(text, "eos", len(text.split()), scores)
            reading = reader.answer(raw, one.item)
            item = one.item
            rows.append({
                "model": model, "role": model, "recipe": "none", "seed": 0, "level": 0.0,
                "task": name, "item": item.key, "item_id": item.id, "parent": item.parent,
                "variant": item.variant, "gold": item.gold, "text": text, "tags": item.tags,
                "options": item.options, "meant": tuple(map(item.meaning, item.labels)),
                "answer": reading.value, "outcome": reading.outcome, "tier": reading.tier,
                "score": reading.score, "parts": dict(reading.parts) or None, "stopped": "eos",
                "chosen": chosen(item, scores, task.info.scored), "option_scores": scores,
            })  # fmt: skip
    return pd.DataFrame(rows)


def _scores(model: str, one: Asked, label: str | None) -> tuple[float, ...]:
    if model == "silent":
        return (math.nan,) * len(one.labels)
    if label is None:
        return (-5.0,) * len(one.labels)
    top = math.log(0.6) if model == "intact" and label != one.right else SURE
    rest = math.log((1 - math.exp(top)) / max(len(one.labels) - 1, 1))
    return tuple(top if x == label else rest for x in one.labels)
