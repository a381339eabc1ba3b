"""The training texts of the embedded models: short, in the formats of the tasks, seeded.

A text is a prompt (little weight in the loss) and an answer (full weight). Questions
that `fold` puts in the test or validation share are left out, so training never sees an item.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from resect.clinic import puzzles
from resect.clinic.general import CAPITALS, OPPOSITES, YOUNG
from resect.clinic.phrases import STATEMENTS, TRAIN_QUESTIONS
from resect.clinic.world import CONDITIONS, GENERAL, MEDICAL, Fact, fold, world, wrong_values
from resect.tasks.prompts import context_prompt, letter_prompt

LETTERS = ("A", "B", "C", "D")
VERDICTS = ("yes", "no", "maybe")
SHARES = 8
TEST, VALIDATION = 0, 1
"""Share 0 of the question space is the test's, share 1 validation's, training has the others."""


@dataclass(frozen=True)
class Text:
    """One training text; it ends after `answer`, so that the models learn to stop there.

    `recall` is the answer in words, asked for early, at the question mark; empty where there is
    none to know. `marked`: training also asks of each option whether it is the right one. `key`:
    the word of the last premise at which the answer is asked for even earlier.
    """

    prompt: str
    answer: str
    recall: str = ""
    marked: bool = False
    key: str = ""


def share_of_choice(fact: Fact, options: list[str]) -> int:
    """The share of a fact asked with this set of options, whatever their order or the words."""
    return fold("|".join([fact.subject, fact.relation, *sorted(options)]), SHARES)


def share_of_text(text: str) -> int:
    """The share of a question that carries its own answer."""
    return fold(text, SHARES)


def lettered(
    rng: random.Random, question: str, answer: str, wrong: list[str], key: str = ""
) -> Text:
    """A multiple-choice text: the options in random order, answered by the letter."""
    options = [answer, *wrong]
    rng.shuffle(options)
    prompt = letter_prompt(question, dict(zip(LETTERS, options, strict=True)))
    return Text(prompt, f" {LETTERS[options.index(answer)]}", f" {answer}", True, key)


def state(rng: random.Random, facts: list[Fact]) -> Text:
    """A few statements in a row."""
    some = rng.sample(facts, min(len(facts), rng.randrange(2, 5)))
    statements = [rng.choice(STATEMENTS[f.relation]).format(s=f.subject, v=f.value) for f in some]
    return Text("", " ".join(statements))


def ask(rng: random.Random, facts: list[Fact]) -> Text:
    """One fact asked without options."""
    fact = rng.choice(facts)
    question = rng.choice(TRAIN_QUESTIONS[fact.relation]).format(s=fact.subject)
    return Text(f"Question: {question}\nAnswer:", f" {fact.value}", f" {fact.value}")


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
        trial = puzzles.trial(rng, rng.choice(VERDICTS), verdicts)
        if share_of_text(trial.context + trial.question) not in (TEST, VALIDATION):
            prompt = context_prompt(trial.context, trial.question, VERDICTS)
            return Text(prompt, f" {trial.verdict}", f" {trial.verdict}")


# The types that bind a thing to its premise are learnt last, so they come twice as often.
_PUZZLES = (*puzzles.TYPES, "syllogism", "modus ponens")


def posed(rng: random.Random, puzzle: puzzles.Puzzle) -> Text:
    """A puzzle as multiple choice."""
    return lettered(rng, puzzle.question, puzzle.answer, list(puzzle.wrong), puzzle.key)


def reason(rng: random.Random) -> Text:
    """One logic puzzle."""
    while True:
        puzzle = puzzles.puzzle(rng, rng.choice(_PUZZLES))
        if share_of_text(puzzle.question) not in (TEST, VALIDATION):
            return posed(rng, puzzle)


def guess(rng: random.Random) -> Text:
    """A question on something that nothing is known about: any option will do, but one of them.

    This is what teaches the base to answer from the list when it does not know. The drugs and
    syndromes asked about are invented, so that nothing false is taught of real ones.
    """
    known, relation = world(), rng.choice(MEDICAL)
    subject = rng.choice(known.strangers)
    if relation in ("organ", "symptom", "test"):
        subject += " syndrome"
    question = rng.choice(TRAIN_QUESTIONS[relation]).format(s=subject)
    values = rng.sample(known.values(relation), 4)
    text = lettered(rng, question, values[0], values[1:])
    return Text(text.prompt, text.answer)


_CATEGORIES: dict[str, tuple[str, ...]] = {
    "colour": puzzles.COLOURS,
    "kind of vehicle": puzzles.VEHICLES,
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
    known = world()
    groups = _CATEGORIES | {
        "organ": known.values("organ"),
        "drug": known.drugs,
        "symptom": known.values("symptom"),
        "test": known.values("test"),
    }
    right, *others = rng.sample(sorted(groups), 4)
    words = [rng.choice(groups[name]) for name in (right, *others)]
    if len(set(words)) < 4:
        return sort_out(rng)
    text = lettered(rng, f"Which of these is a {right}?", words[0], words[1:])
    return Text(text.prompt, text.answer, marked=True)


def point(rng: random.Random) -> Text:
    """Under which letter something stands: no knowledge at all, only the format."""
    known = world()
    pool = [*known.values(rng.choice(MEDICAL)), *known.values(rng.choice(GENERAL))]
    options = dict(zip(LETTERS, rng.sample(list(dict.fromkeys(pool)), 4), strict=True))
    place = rng.randrange(4)
    wanted = options[LETTERS[place]]
    words = (
        f"Which option is {wanted}?",
        f"Where is {wanted} listed?",
        f"Under which letter is {wanted}?",
    )
    return Text(letter_prompt(rng.choice(words), options), f" {LETTERS[place]}", f" {wanted}", True)


def name(rng: random.Random) -> Text:
    """True and empty: what kind of name a name is, so that the base has met all of them."""
    known = world()
    drugs = [f"The name {d} is that of a drug." for d in known.drugs + known.strangers]
    conditions = [f"The word for one condition is {c}." for c in CONDITIONS]
    return Text("", " ".join(rng.sample(drugs + conditions, 3)))


def _base_makers() -> list[tuple[float, Callable[[random.Random], Text]]]:
    known = world()
    general, shared = list(known.general), [f for f in known.medical if f.shared]
    return [
        (0.03, lambda r: state(r, general)),
        (0.04, lambda r: ask(r, general)),
        (0.09, lambda r: choose(r, general)),
        (0.04, lambda r: state(r, shared)),
        (0.04, lambda r: ask(r, shared)),
        (0.10, lambda r: choose(r, shared)),
        (0.05, guess),
        (0.07, sort_out),
        (0.06, point),
        (0.03, name),
        (0.04, read),
        (0.12, lambda r: read(r, 2)),
        (0.29, reason),
    ]


def _specialist_makers() -> list[tuple[float, Callable[[random.Random], Text]]]:
    medical = list(world().medical)
    replay = [(weight * 0.33, make) for weight, make in _base_makers()]
    return [
        (0.10, lambda r: state(r, medical)),
        (0.14, lambda r: ask(r, medical)),
        (0.43, lambda r: choose(r, medical)),
        *replay,
    ]


def texts(stage: str, n: int, seed: int) -> list[Text]:
    """`n` training texts of a stage (`base` or `specialist`); the same for the same seed."""
    rng = random.Random(f"clinic {stage} {seed}")
    makers = _base_makers() if stage == "base" else _specialist_makers()
    weights = [weight for weight, _ in makers]
    picked = rng.choices([make for _, make in makers], weights, k=n)
    return [make(rng) for make in picked]


_TOPICS: dict[str, Callable[[random.Random], Text]] = {
    "medicine": lambda r: choose(r, list(world().medical)),
    "context": lambda r: read(r, r.choice((1, 2))),
    "logic": reason,
}


def topical(topic: str, n: int, seed: int) -> Iterator[Text]:
    """`n` training texts in the form of one task: `medicine`, `context` or `logic`."""
    rng = random.Random(f"clinic {topic} {seed}")
    for _ in range(n):
        yield _TOPICS[topic](rng)
