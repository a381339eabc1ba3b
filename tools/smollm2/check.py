"""How a model does on the held-back part, asked, read and counted as resect asks, reads and counts.

`check.py FOLDER [--adapter DIR] [--limit N]` prints a line a task.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from resect.ask import Asker
from resect.findings.part_metrics import METRICS
from resect.record import Item, RawAnswer, Reading
from resect.stats import skill
from resect.stats.intervals import Interval, Weights, interval, item_weights
from resect.tasks.contract import Source
from tools.smollm2.material import EXTRACTION, Part, parts, task

ASKED = ("healthver", "pubmedqa-test", "bioasq-yesno", *EXTRACTION)
RESAMPLES = 1000


class Score(NamedTuple):
    """One task: its skill by text (strict F1 of lists) with an interval, and what is beside it."""

    task: str
    n: int
    skill: Interval
    accuracy: float
    silent: float
    options: float | None

    def line(self) -> str:
        """For a log."""
        value, low, high = (x if x is not None else float("nan") for x in self.skill)
        by_options = "" if self.options is None else f", options skill {self.options:.3f}"
        return (
            f"{self.task}: n {self.n}, skill {value:.3f} [{low:.3f}, {high:.3f}], right "
            f"{self.accuracy:.3f}, no answer {self.silent:.3f}{by_options}"
        )


class Check:
    """The held-back questions of every task, `limit` of each, tokenized once."""

    def __init__(self, held: Part, tokenizer: Tokenizer, source: Source, limit: int | None) -> None:
        self.items: dict[str, list[Item]] = {}
        self.askers: dict[str, Asker] = {}
        for name in ASKED:
            made, questions = task(name), held.questions[name]
            if limit is not None and len(questions) > limit:
                step = len(questions) / limit  # spread over the part: it is in order
                questions = [questions[int(i * step)] for i in range(limit)]
            self.items[name] = [made.item(q, source) for q in questions]
            info = made.info
            self.askers[name] = Asker(tokenizer, self.items[name], info.max_new_tokens, info.stop)

    def scores(self, model: PreTrainedModel, workers: Executor) -> Iterator[Score]:
        """Every task, as many at a time as there are workers."""
        model.eval()  # type: ignore[no-untyped-call]
        yield from workers.map(lambda name: self._score(name, model), ASKED)

    def _score(self, name: str, model: PreTrainedModel) -> Score:
        items, made = self.items[name], task(name)
        raw: dict[int, RawAnswer] = {}
        for rows, answers in self.askers[name].ask(model):
            raw.update(zip(rows, answers, strict=True))
        readings = [made.reader.answer(raw[row], item) for row, item in enumerate(items)]
        right = float(np.mean([reading.score == 1.0 for reading in readings]))
        silent = float(np.mean([reading.value is None for reading in readings]))
        weights = item_weights([item.parent or item.id for item in items], RESAMPLES, 0, name)
        if name in EXTRACTION:
            return Score(name, len(items), _f1(readings, weights), right, silent, None)
        labels = made.info.labels
        text = _skill([r.value for r in readings], items, labels, weights)
        scored = [raw[row].option_scores or () for row in range(len(items))]
        chosen = [labels[int(np.argmax(row))] if row else None for row in scored]
        options = _skill(chosen, items, labels, weights).value
        return Score(name, len(items), text, right, silent, options)


def _skill(
    answers: Sequence[str | None], items: Sequence[Item], labels: Sequence[str], weights: Weights
) -> Interval:
    codes = skill.encode(answers, labels)[None]
    gold = skill.encode([item.gold for item in items], labels)
    return interval(skill.skill(skill.tally(weights, codes, gold, len(labels)))[:, 0])


def _f1(readings: Sequence[Reading], weights: Weights) -> Interval:
    names = {name for reading in readings for name in reading.parts or {}}
    parts_of = {n: np.array([(r.parts or {}).get(n, 0.0) for r in readings]) for n in names}
    above, below = METRICS["strict_f1"].sums(parts_of)
    with np.errstate(all="ignore"):
        return interval((weights @ above) / (weights @ below))


def main() -> None:
    """A folder with or without an adapter, on the whole held-back part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(given.folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(given.folder, dtype=torch.float32)
    if given.adapter:
        model.load_adapter(str(given.adapter))
    source = Source(data_dir=given.data_dir, apply_chat_template=True)
    _, held = parts(source)
    with ThreadPoolExecutor(2) as workers:
        for score in Check(held, tokenizer, source, given.limit).scores(model, workers):
            print(score.line(), flush=True)


if __name__ == "__main__":
    main()
