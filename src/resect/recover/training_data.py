"""What a model is tuned back on: prompts and completions to learn, never the items it is asked."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from resect.ask import tokenize as asked
from resect.errors import RequestError
from resect.record import Item, digest
from resect.tasks import hub, offline

_SHORT = 20  # characters below which an equal question may be chance
_PAIRS = (("prompt", "completion"), ("question", "answer"), ("instruction", "output"))


class Example(NamedTuple):
    """One example; `question` is what it asks, to be told from the items."""

    prompt: str
    completion: str
    question: str


class Source(NamedTuple):
    """Which data: `name` is `clinic`, a .jsonl[.gz] file, or a hub set; columns, and how many."""

    name: str
    question: str = ""
    answer: str = ""
    limit: int | None = None

    def fingerprint(self) -> str:
        """Hash of what was asked for and of a file's content, or of a hub set's commit.

        Raises `RequestError` for a file that is not there.
        """
        path = _file_of(self.name)
        if path:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            content = "" if self.name == "clinic" else hub.revision(*hub.named(self.name))
        return digest([list(self), content])

    def examples(self) -> list[Example]:
        """All examples in the order of the source. Raises `RequestError` for unreadable data."""
        if self.name == "clinic":
            return list(islice(_clinic(), self.limit or 12_800))
        path = _file_of(self.name)
        rows = _lines(path) if path else _hub(self.name)
        found = list(islice(self._of(rows), self.limit))
        if not found:
            raise RequestError(f"training data {self.name} is empty: give a file with examples.")
        return found

    def _of(self, rows: Iterable[Mapping[str, object]]) -> Iterator[Example]:
        asked = ((self.question, self.answer),) if self.question and self.answer else _PAIRS
        for number, row in enumerate(rows, start=1):
            pair = next((pair for pair in asked if pair[0] in row and pair[1] in row), None)
            if pair is None:
                wanted = " and ".join(asked[0]) if self.question else "question and answer"
                raise RequestError(
                    f"row {number} of {self.name} has no columns {wanted}, it has "
                    f"{', '.join(sorted(row))}: name them with question= and answer=."
                )
            question, answer = str(row[pair[0]]).strip(), str(row[pair[1]]).strip()
            if question and answer:
                whole = pair == _PAIRS[0]
                prompt = question if whole else f"Question: {question}\nAnswer:"
                yield Example(prompt, f" {answer}", question)


def _clinic() -> Iterator[Example]:
    """The specialist's own training texts, without the plain statements."""
    from resect.clinic.texts import texts

    for part in range(1000):
        for text in texts("specialist", 400, seed=5000 + part):
            if text.prompt:
                yield Example(text.prompt, text.answer, text.prompt)


def _file_of(name: str) -> Path | None:
    path = Path(name).expanduser()
    if path.is_file():
        return path
    if path.suffix or name.startswith((".", "/", "~")):
        raise RequestError(f"there is no training file {name}: check data=.")
    return None


def _lines(path: Path) -> Iterator[Mapping[str, object]]:
    done = 0
    try:
        with offline.opened(path) as file:
            for line in file:
                row = json.loads(line) if line.strip() else {}
                if not isinstance(row, dict):
                    raise ValueError("no object")
                if row:
                    yield row
                done += 1
    except (OSError, ValueError) as error:
        raise RequestError(
            f"line {done + 1} of {path} cannot be read ({type(error).__name__}): give JSON lines "
            "with a question and an answer."
        ) from None


def _hub(name: str) -> Iterator[Mapping[str, object]]:
    yield from hub.rows(*hub.named(name), "train")


# ── apart from the items ────────────────────────────────────────────────────────────────────────


def refuse_overlap(examples: Sequence[Example], items: Iterable[Item], task: str) -> None:
    """Raises `RequestError` where an item of `task` is among the examples, and says which.

    Compared are whole prompts, and questions that are one item's only, by hash of their words.
    """
    items = list(items)
    often = Counter(_hash(item.question) for item in items)
    known = {}
    for item in items:
        known[_hash(item.prompt)] = item.id
        asked = _hash(item.question)
        if len(item.question) >= _SHORT and often[asked] == 1:
            known[asked] = item.id
    hit = [known[h] for e in examples for h in (_hash(e.prompt), _hash(e.question)) if h in known]
    found = list(dict.fromkeys(hit))
    if found:
        raise RequestError(
            f"{len(found)} items of {task} are in the training data, like {found[0]}: take them "
            "out, or the model is asked what it was told."
        )


def _hash(text: str) -> str:
    words = " ".join(re.findall(r"\w+", text.casefold()))
    return hashlib.sha256(words.encode()).hexdigest()


# ── tokens ──────────────────────────────────────────────────────────────────────────────────────


class Row(NamedTuple):
    """Token ids (T,) and labels (T,): -100 where nothing is to be learnt (the prompt)."""

    ids: list[int]
    labels: list[int]


def rows(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> list[Row]:
    """Completion-only rows, in the very ids that are asked; the end of text is learnt too.

    Longer ones are cut on the right, and left out where nothing of the completion would be left.
    """
    end = [tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else []
    start = asked.special_prefix(tokenizer)
    prompts, completions = [e.prompt for e in examples], [(e.completion,) for e in examples]
    found = []
    for ids, (completion,), _ in asked.split(tokenizer, prompts, completions):
        prompt = [*start, *ids]
        if completion and len(prompt) < max_length:
            labels = [-100] * len(prompt) + [*completion, *end]
            whole = [*prompt, *completion, *end]
            found.append(Row(whole[:max_length], labels[:max_length]))
    if not found:
        raise RequestError(f"no example fits into {max_length} tokens: raise max_length.")
    return found


def split(all_rows: Sequence[Row], share: float, seed: int) -> tuple[list[Row], list[Row]]:
    """Rows to train on and rows held out (at most 500), by seed."""
    order = list(range(len(all_rows)))
    random.Random(f"held out {seed}").shuffle(order)
    count = min(500, int(share * len(order)))
    return [all_rows[i] for i in order[count:]], [all_rows[i] for i in order[:count]]


def collate(batch: Sequence[Row], pad: int) -> dict[str, Tensor]:
    """Right-padded ids, mask and labels, each (B, T)."""
    width = max(len(row.ids) for row in batch)
    ids = [row.ids + [pad] * (width - len(row.ids)) for row in batch]
    mask = [[1] * len(row.ids) + [0] * (width - len(row.ids)) for row in batch]
    labels = [row.labels + [-100] * (width - len(row.labels)) for row in batch]
    names = ("input_ids", "attention_mask", "labels")
    return {n: torch.tensor(v) for n, v in zip(names, (ids, mask, labels), strict=True)}
