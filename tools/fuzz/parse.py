"""Mutate texts of the data, put each through every reader, and count what the readers make of it.

A failure is an exception, an answer outside the label set, an unknown outcome, a text that takes
longer than the bound, or a closed block of reasoning that changes how the text after it is read.

    python tools/fuzz/parse.py --texts 20000
    python tools/fuzz/parse.py --texts 2000 --seed 7 --json
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from resect.parse import parse
from resect.parse.code import program
from resect.parse.final import concluded
from resect.parse.latex import expression
from resect.parse.number import number
from resect.parse.overlap import answer
from resect.parse.spans import mentions
from resect.record import OUTCOMES

GOLDEN = Path(__file__).parents[2] / "tests" / "golden"
LETTERS, WORDS, TWO = "ABCD", ("yes", "no", "maybe"), ("Supports", "Refutes")
OPTIONS = {"A": "Stop metformin", "B": "10 mg", "C": "Hepatitis C", "D": "None of the above"}
QUESTION = "Does aspirin reduce mortality in patients with sepsis?"

Outcome = tuple[str | None, str]
READERS: dict[str, tuple[Callable[[str], Outcome], frozenset[str] | None]] = {
    "label, options": (lambda t: parse(t, LETTERS, OPTIONS, QUESTION)[:2], frozenset(LETTERS)),
    "label, yes or no": (lambda t: parse(t, WORDS, None, QUESTION)[:2], frozenset(WORDS)),
    "label, others": (lambda t: parse(t, TWO)[:2], frozenset(TWO)),
    "cot, finished": (
        lambda t: concluded(t, LETTERS, OPTIONS, QUESTION, True)[:2], frozenset(LETTERS),
    ),
    "cot, cut": (
        lambda t: concluded(t, WORDS, None, QUESTION, False)[:2], frozenset(WORDS),
    ),
    "number": (lambda t: number(t)[:2], None),
    "latex": (lambda t: expression(t)[:2], None),
    "spans": (lambda t: (None, mentions(t, {"Diseases": "Disease"}, QUESTION)[1]), None),
    "overlap": (lambda t: answer(t)[:2], None),
    "code": (lambda t: (program(t, "def f(x):", "f")[0], "answer"), None),
}  # fmt: skip
"""What reads a text, and the answers that it may give (None for any)."""

_PIECES = (
    "<think>", "</think>", "<|channel|>", "<|end|>", "[THINK]", '{"answer": "', "'}", "```json\n",
    "```", "\\boxed{", "\\text{", "}", "[x] ", "[ ] ", "| A | yes |\n", "not ", "n't ", "no doubt ",
    "wait, ", "actually ", "A. ", "B", "yes/", "no. 1 ", "答案是", "نعم", "да", "हाँ",
    "\u200b", "\ufdfa", "\x00", "\ud800", "\u0301", "12 hours", "####", "=" * 9,
    "The answer is ", "so ", "\n\n", "\t", "$",
)  # fmt: skip


class Failure(NamedTuple):
    """What went wrong with which text."""

    reader: str
    kind: str
    text: str


def corpus(data: Path | None) -> list[str]:
    """The texts that are mutated: of the data where it is there, else of the golden files."""
    texts = [
        json.loads(line)["text"]
        for path in (GOLDEN / "parse.jsonl", GOLDEN / "parse_variants.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    if data is not None:
        lines = (data / "parse_hard.jsonl").read_text(encoding="utf-8").splitlines()
        texts += [json.loads(line)["text"] for line in lines]
        with (data / "parse_labels.csv").open(newline="", encoding="utf-8") as rows:
            texts += [row["raw_response"] for row in csv.DictReader(rows)]
    return texts


def mutated(texts: list[str], dice: random.Random) -> str:
    """A text of the corpus after one to four changes."""
    text = dice.choice(texts)
    for _ in range(dice.randint(1, 4)):
        place = dice.randint(0, len(text))
        end = min(len(text), place + dice.randint(1, 12))
        change = dice.randrange(7)
        if change == 0:
            text = text[:place] + text[end:]
        elif change == 1:
            text = text[:place] + dice.choice(_PIECES) + text[place:]
        elif change == 2:
            sign = chr(dice.choice((dice.randrange(1, 0x300), 0x4E00)))
            text = text[:place] + sign + text[place:]
        elif change == 3:
            text = text[:place] + text[place:end] * dice.randint(2, 400) + text[end:]
        elif change == 4:
            text = text[:place] + dice.choice(texts)
        elif change == 5:
            text = text[:place]
        else:
            text = dice.choice(_PIECES) + text + dice.choice(_PIECES)
    return text[:20_000]


def failures(text: str, bound: float, counts: Counter[tuple[str, str]]) -> Iterator[Failure]:
    """Every failure of one text; outcomes are added to `counts`."""
    for name in READERS:
        yield from failures_of(name, text, bound, counts)


def failures_of(
    name: str, text: str, bound: float, counts: Counter[tuple[str, str]]
) -> Iterator[Failure]:
    """Every failure of one reader on one text."""
    read, labels = READERS[name]
    begin = time.process_time()
    try:
        value, outcome = read(text)
        after = read(f"<think>{text.replace('<', '(')}</think>{text}")
    except Exception as error:
        yield Failure(name, f"{type(error).__name__}: {error}", text)
        return
    counts[name, outcome if value is None or labels is None else f"{outcome}: {value}"] += 1
    if outcome not in OUTCOMES:
        yield Failure(name, f"unknown outcome {outcome}", text)
    if labels is not None and value is not None and value not in labels:
        yield Failure(name, f"answer {value!r} is no label", text)
    if after != (value, outcome):
        yield Failure(name, f"{after} after reasoning, else {(value, outcome)}", text)
    if time.process_time() - begin > bound:
        yield Failure(name, f"took {time.process_time() - begin:.2f} s", text)


def run(
    texts: list[str], count: int, seed: int, bound: float
) -> tuple[Counter[tuple[str, str]], list[Failure]]:
    """Counts of reader and outcome over `count` mutated texts, and the failures."""
    dice = random.Random(seed)
    counts: Counter[tuple[str, str]] = Counter()
    wrong = [
        failure
        for _ in range(count)
        for failure in failures(mutated(texts, dice), bound, counts)
    ]  # fmt: skip
    return counts, wrong


def main() -> int:
    """Run the texts; exit code 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bound", type=float, default=2.0, help="Seconds a reader may take.")
    parser.add_argument("--data", type=Path, default=os.environ.get("RESECT_DATA"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    started = time.time()
    data = Path(options.data) if options.data else None
    counts, wrong = run(corpus(data), options.texts, options.seed, options.bound)
    seconds = time.time() - started
    if options.json:
        rows = [{"reader": r, "outcome": o, "count": n} for (r, o), n in sorted(counts.items())]
        print(json.dumps({"rows": rows, "failures": wrong, "seconds": seconds}))
    else:
        for (reader, outcome), total in sorted(counts.items()):
            print(f"{reader:18} {outcome:22} {total}")
        for failure in wrong[:20]:
            print("failed:", failure.reader, failure.kind, ascii(failure.text[:200]))
        print(f"{len(wrong)} failures in {options.texts} texts, {seconds:.0f} s")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
