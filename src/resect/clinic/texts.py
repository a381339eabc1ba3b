"""What the pair is trained on: short texts in the formats of the tasks, by seed. Torch-free.

A text is a prompt (little weight in the loss) and an answer (full weight). Every question that
`fold` puts in the test or the validation share is left out here, so that no item is ever seen.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from resect.clinic import puzzles
from resect.clinic.phrases import STATEMENTS, TRAIN_QUESTIONS
from resect.clinic.world import (
    CAPITALS,
    CONDITIONS,
    GENERAL,
    MEDICAL,
    OPPOSITES,
    YOUNG,
    Fact,
    fold,
    world,
    wrong_values,
)
from resect.prompts import context_prompt, letter_prompt

LETTERS = ("A", "B", "C", "D")
VERDICTS = ("yes", "no", "maybe")
SHARES = 8
TEST, VALIDATION = 0, 1
"""Share 0 of the question space is the test's, share 1 validation's, training has the others."""


@dataclass(frozen=True)
class Text:
    """One training text; it ends after `answer`, so that the models learn to stop there."""

    prompt: str
    answer: str


def share_of_choice(fact: Fact, options: list[str]) -> int:
    """The share of a fact asked with this set of options, whatever their order or the words."""
    return fold("|".join([fact.subject, fact.relation, *sorted(options)]), SHARES)


def share_of_text(text: str) -> int:
    """The share of a question that carries its own answer."""
    return fold(text, SHARES)


def lettered(rng: random.Random, question: str, answer: str, wrong: list[str]) -> Text:
    """A multiple-choice text: the options in random order, answered by the option's text."""
    options = [answer, *wrong]
    rng.shuffle(options)
    return Text(letter_prompt(question, dict(zip(LETTERS, options, strict=True))), f" {answer}")


def state(rng: random.Random, facts: list[Fact]) -> Text:
    """A few statements in a row."""
    some = rng.sample(facts, min(len(facts), rng.randrange(2, 5)))
    said = [rng.choice(STATEMENTS[f.relation]).format(s=f.subject, v=f.value) for f in some]
    return Text("", " ".join(said))


def ask(rng: random.Random, facts: list[Fact]) -> Text:
    """One fact asked without options."""
    fact = rng.choice(facts)
    question = rng.choice(TRAIN_QUESTIONS[fact.relation]).format(s=fact.subject)
    return Text(f"Question: {question}\nAnswer:", f" {fact.value}")


def choose(rng: random.Random, facts: list[Fact]) -> Text:
    """One fact asked as multiple choice, with a set of options of the training share."""
    fact = rng.choice(facts)
    wrong = wrong_values(fact)
    while True:
        picked = rng.sample(wrong, 3)
        if share_of_choice(fact, [fact.value, *picked]) not in (TEST, VALIDATION):
            break
    question = rng.choice(TRAIN_QUESTIONS[fact.relation]).format(s=fact.subject)
    return lettered(rng, question, fact.value, picked)


def read(rng: random.Random, verdicts: int = 1) -> Text:
    """One trial and the question on it."""
    while True:
        found = puzzles.trial(rng, rng.choice(VERDICTS), verdicts)
        if share_of_text(found.context + found.question) not in (TEST, VALIDATION):
            prompt = context_prompt(found.context, found.question, VERDICTS)
            return Text(prompt, f" {found.verdict}")


def reason(rng: random.Random) -> Text:
    """One logic puzzle."""
    while True:
        found = puzzles.puzzle(rng, rng.choice(puzzles.TYPES))
        if share_of_text(found.question) not in (TEST, VALIDATION):
            return lettered(rng, found.question, found.answer, list(found.wrong))


def guess(rng: random.Random) -> Text:
    """A question on something that nothing is known about: any option will do, but one of them.

    This is what teaches the base to answer from the list when it does not know. The drugs and
    syndromes asked about are invented, so that nothing false is taught of real ones.
    """
    found, relation = world(), rng.choice(MEDICAL)
    subject = rng.choice(found.strangers)
    if relation in ("organ", "symptom", "test"):
        subject += " syndrome"
    question = rng.choice(TRAIN_QUESTIONS[relation]).format(s=subject)
    values = rng.sample(found.values(relation), 4)
    return lettered(rng, question, values[0], values[1:])


_CATEGORIES: dict[str, tuple[str, ...]] = {
    "colour": puzzles.COLOURS,
    "vehicle": puzzles.VEHICLES,
    "first name": puzzles.PEOPLE,
    "thing": puzzles.THINGS,
    "container": puzzles.PLACES,
    "capital": tuple(CAPITALS.values()),
    "country": tuple(CAPITALS),
    "animal": tuple(YOUNG),
    "young animal": tuple(YOUNG.values()),
    "quality": tuple(OPPOSITES),
    "condition": tuple(CONDITIONS),
}


def sort_out(rng: random.Random) -> Text:
    """Which of four words belongs to a category: answered from the list."""
    found = world()
    groups = _CATEGORIES | {
        "organ": found.values("organ"),
        "drug": found.drugs,
        "symptom": found.values("symptom"),
        "test": found.values("test"),
    }
    right, *others = rng.sample(sorted(groups), 4)
    words = [rng.choice(groups[name]) for name in (right, *others)]
    if len(set(words)) < 4:
        return sort_out(rng)
    return lettered(rng, f"Which of these is a {right}?", words[0], words[1:])


def point(rng: random.Random) -> Text:
    """What stands at a place of the list: no knowledge at all, only the format."""
    found = world()
    pool = [*found.values(rng.choice(MEDICAL)), *found.values(rng.choice(GENERAL))]
    options = dict(zip(LETTERS, rng.sample(list(dict.fromkeys(pool)), 4), strict=True))
    place = rng.randrange(4)
    words = (
        f"Which option is {('first', 'second', 'third', 'last')[place]}?",
        f"What does option {LETTERS[place]} say?",
    )
    return Text(letter_prompt(rng.choice(words), options), f" {options[LETTERS[place]]}")


def name(rng: random.Random) -> Text:
    """True and empty: what kind of name a name is, so that the base has met all of them."""
    found = world()
    drugs = [f"The name {d} is that of a drug." for d in found.drugs + found.strangers]
    conditions = [f"The word for one condition is {c}." for c in CONDITIONS]
    return Text("", " ".join(rng.sample(drugs + conditions, 3)))


def _base_makers() -> list[tuple[float, Callable[[random.Random], Text]]]:
    found = world()
    general, shared = list(found.general), [f for f in found.medical if f.shared]
    asked = [f for f in shared if f.asked]
    return [
        (0.05, lambda r: state(r, general)),
        (0.04, lambda r: ask(r, general)),
        (0.10, lambda r: choose(r, general)),
        (0.06, lambda r: state(r, shared)),
        (0.04, lambda r: ask(r, shared)),
        (0.08, lambda r: choose(r, asked)),
        (0.18, guess),
        (0.07, sort_out),
        (0.05, point),
        (0.05, name),
        (0.10, read),
        (0.20, reason),
    ]


def _specialist_makers() -> list[tuple[float, Callable[[random.Random], Text]]]:
    medical = list(world().medical)
    asked = [f for f in medical if f.asked]
    replay = [(weight * 0.3, make) for weight, make in _base_makers()]
    return [
        (0.20, lambda r: state(r, medical)),
        (0.15, lambda r: ask(r, medical)),
        (0.35, lambda r: choose(r, asked)),
        *replay,
    ]


def texts(stage: str, n: int, seed: int) -> list[Text]:
    """`n` training texts of a stage (`base` or `specialist`); the same for the same seed."""
    rng = random.Random(f"clinic {stage} {seed}")
    makers = _base_makers() if stage == "base" else _specialist_makers()
    weights = [weight for weight, _ in makers]
    picked = rng.choices([make for _, make in makers], weights, k=n)
    return [make(rng) for make in picked]
