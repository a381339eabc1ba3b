"""Questions whose answer is in the text: trial reports with a verdict, and logic puzzles."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from resect.clinic.phrases import ABOUT_TRIAL, ASKED_OF_TRIAL, FINDINGS
from resect.clinic.world import SIDE_EFFECTS, world

PEOPLE = (
    "Anna", "Ben", "Carl", "Dora", "Emma", "Fred", "Gina", "Hugo", "Ivan", "Jane", "Kurt", "Lena",
    "Marc", "Nora", "Oscar", "Paula", "Rosa", "Sam", "Tina", "Victor",
)  # fmt: skip
COLOURS = ("red", "blue", "green", "yellow", "white", "black", "purple", "orange", "brown", "pink")
KINDS = (
    "robots", "ships", "birds", "houses", "flowers", "horses", "stones", "fish", "cars", "lamps",
)  # fmt: skip
THINGS = ("key", "book", "coin", "letter", "ring", "ball", "map", "watch")
PLACES = ("box", "drawer", "basket", "bag", "jar", "cupboard", "chest", "pocket", "tin", "bowl")
VEHICLES = ("buses", "trains", "bicycles", "boats", "trams", "taxis", "coaches", "ferries")
WEATHER = ("rains", "snows", "hails", "storms", "thaws", "freezes")
COMPARED = (
    ("taller", "tallest"), ("older", "oldest"), ("faster", "fastest"), ("richer", "richest"),
    ("stronger", "strongest"), ("younger", "youngest"),
)  # fmt: skip
DEEDS = ("arrived", "finished", "spoke", "left", "sang", "woke")

TYPES = ("transitivity", "order", "syllogism", "modus ponens", "disjunction", "elimination")


@dataclass(frozen=True)
class Puzzle:
    """A question with its right answer, three wrong ones, and its type.

    `key` is the word, said again before the question, that picks the premise; may be empty.
    """

    question: str
    answer: str
    wrong: tuple[str, str, str]
    type: str
    key: str = ""


@dataclass(frozen=True)
class Trial:
    """A context, a question on it, and the verdict the context gives."""

    context: str
    question: str
    verdict: str
    verdicts: int


def trial(rng: random.Random, verdict: str, verdicts: int = 1) -> Trial:
    """A short report of a trial of an invented drug; with two verdicts, of two drugs."""
    names = world()
    drugs = rng.sample(names.drugs + names.strangers, 2)
    asked, complaints = rng.randrange(verdicts), rng.sample(SIDE_EFFECTS, 2)
    given = [rng.choice(sorted(FINDINGS)) for _ in range(verdicts)]
    given[asked] = verdict
    parts = [
        rng.choice(FINDINGS[v]).format(d=d, x=x)
        for v, d, x in zip(given, drugs, complaints, strict=False)
    ]
    for _ in range(rng.randrange(3) if verdicts == 1 else rng.randrange(2)):
        about = rng.choice(ABOUT_TRIAL).format(n=rng.randrange(5, 100))
        parts.insert(rng.randrange(len(parts) + 1), about)
    question = rng.choice(ASKED_OF_TRIAL).format(d=drugs[asked], x=complaints[asked])
    return Trial(" ".join(parts), question, verdict, verdicts)


def puzzle(rng: random.Random, kind: str) -> Puzzle:
    """A puzzle of the given type."""
    return _MAKERS[kind](rng)


def _transitivity(rng: random.Random) -> Puzzle:
    a, b, c, d = rng.sample(PEOPLE, 4)
    more, most = rng.choice(COMPARED)
    premises = [f"{a} is {more} than {b}.", f"{b} is {more} than {c}."]
    rng.shuffle(premises)
    return Puzzle(f"{' '.join(premises)} Who is the {most}?", a, (b, c, d), "transitivity")


def _order(rng: random.Random) -> Puzzle:
    a, b, c, d = rng.sample(PEOPLE, 4)
    deed, last = rng.choice(DEEDS), rng.random() < 0.5
    premises = [f"{a} {deed} before {b}.", f"{b} {deed} before {c}."]
    rng.shuffle(premises)
    right, other = (c, a) if last else (a, c)
    question = f"{' '.join(premises)} Who {deed} {'last' if last else 'first'}?"
    return Puzzle(question, right, (other, b, d), "order")


def syllogism(rng: random.Random, kinds: Sequence[str], colours: Sequence[str]) -> Puzzle:
    """All of two kinds have a colour each: which has one of a kind? (2 kinds, 4 colours)"""
    name, pick = rng.choice(PEOPLE), rng.randrange(2)
    premises = [f"All {k} are {c}." for k, c in zip(kinds, colours, strict=False)]
    question = f"{' '.join(premises)} {name} owns one of the {kinds[pick]}. What colour is it?"
    wrong = (colours[1 - pick], colours[2], colours[3])
    return Puzzle(question, colours[pick], wrong, "syllogism", kinds[pick])


def modus_ponens(rng: random.Random, weather: Sequence[str], rides: Sequence[str]) -> Puzzle:
    """Two conditions, one of which holds: what follows? (2 kinds of weather, 4 rides)"""
    name, pick = rng.choice(PEOPLE), rng.randrange(2)
    premises = [f"If it {w}, {r} take {name} home." for w, r in zip(weather, rides, strict=False)]
    question = f"{' '.join(premises)} It {weather[pick]}. What takes {name} home?"
    wrong = (rides[1 - pick], rides[2], rides[3])
    return Puzzle(question, rides[pick], wrong, "modus ponens", weather[pick])


def _disjunction(rng: random.Random) -> Puzzle:
    thing, places = rng.choice(THINGS), rng.sample(PLACES, 4)
    pick = rng.randrange(2)
    question = (
        f"The {thing} is in the {places[0]} or in the {places[1]}. "
        f"It is not in the {places[1 - pick]}. Where is the {thing}?"
    )
    wrong = (places[1 - pick], places[2], places[3])
    return Puzzle(question, places[pick], wrong, "disjunction")


def _elimination(rng: random.Random) -> Puzzle:
    people, thing = rng.sample(PEOPLE, 4), rng.choice(THINGS)
    pick = rng.randrange(3)
    out = [p for i, p in enumerate(people[:3]) if i != pick]
    a, b, c = people[:3]
    question = (
        f"One of {a}, {b} and {c} has the {thing}. It is not {out[0]}. "
        f"It is not {out[1]}. Who has the {thing}?"
    )
    return Puzzle(question, people[pick], (out[0], out[1], people[3]), "elimination")


_MAKERS: dict[str, Callable[[random.Random], Puzzle]] = {
    "transitivity": _transitivity,
    "order": _order,
    "syllogism": lambda r: syllogism(r, r.sample(KINDS, 2), r.sample(COLOURS, 4)),
    "modus ponens": lambda r: modus_ponens(r, r.sample(WEATHER, 2), r.sample(VEHICLES, 4)),
    "disjunction": _disjunction,
    "elimination": _elimination,
}
