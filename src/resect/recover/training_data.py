"""Training data of recovery: prompts and completions to learn, never items of the tasks."""

from __future__ import annotations

import hashlib
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

from resect.ask import tokenize
from resect.errors import RequestError
from resect.record import Item, digest
from resect.tasks import hub, offline

_SHORT = 20  # characters below which two questions may be equal by chance
_PAIRS = (("prompt", "completion"), ("question", "answer"), ("instruction", "output"))


class Example(NamedTuple):
    """One example; `question` is compared with the questions of the tasks."""

    prompt: str
    completion: str
    question: str


class Source(NamedTuple):
    """Where examples come from: `name` is `clinic`, a .jsonl[.gz] file, or a hub dataset."""

    name: str
    question: str = ""
    answer: str = ""
    limit: int | None = None

    def fingerprint(self) -> str:
        """Hash of the request and of a file's content, or of a hub dataset's commit.

        Raises `RequestError` for a missing file.
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
        rows = _objects(path) if path else hub.rows(*hub.named(self.name), "train")
        examples = list(islice(self._of(rows), self.limit))
        if not examples:
            raise RequestError(f"training data {self.name} has no examples: give other data.")
        return examples

    def _of(self, rows: Iterable[Mapping[str, object]]) -> Iterator[Example]:
        columns = ((self.question, self.answer),) if self.question and self.answer else _PAIRS
        for number, row in enumerate(rows, start=1):
            pair = next((pair for pair in columns if pair[0] in row and pair[1] in row), None)
            if pair is None:
                wanted = " and ".join(columns[0]) if self.question else "question and answer"
                raise RequestError(
                    f"row {number} of {self.name} lacks the columns {wanted}, it has "
                    f"{', '.join(sorted(row))}: name the columns with question= and answer=."
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


def _objects(path: Path) -> Iterator[Mapping[str, object]]:
    return (row for _, row in offline.objects(path) if row)


def _file_of(name: str) -> Path | None:
    path = Path(name).expanduser()
    if path.is_file():
        return path
    if path.suffix or name.startswith((".", "/", "~")):
        raise RequestError(f"there is no training file {name}: check the path.")
    return None


# ── no task item may be learnt ──────────────────────────────────────────────────────────────────


def refuse_overlap(examples: Sequence[Example], items: Iterable[Item], task: str) -> None:
    """Raises `RequestError` where an item of `task` is among the examples, naming one.

    Whole prompts, and questions that only one item has, are compared by hashes of their words.
    """
    items = list(items)
    counts = Counter(_hash(item.question) for item in items)
    known = {}
    for item in items:
        known[_hash(item.prompt)] = item.id
        question = _hash(item.question)
        if len(item.question) >= _SHORT and counts[question] == 1:
            known[question] = item.id
    matches = [
        known[h] for e in examples for h in (_hash(e.prompt), _hash(e.question)) if h in known
    ]
    hits = list(dict.fromkeys(matches))
    if hits:
        raise RequestError(
            f"{len(hits)} items of {task} are in the training data, like {hits[0]}: remove them, "
            "or the model is tested on what it was trained on."
        )


def _hash(text: str) -> str:
    words = " ".join(re.findall(r"\w+", text.casefold()))
    return hashlib.sha256(words.encode()).hexdigest()


# ── tokens ──────────────────────────────────────────────────────────────────────────────────────


class Row(NamedTuple):
    """Token ids (T,) and labels (T,): -100 where nothing is learnt (the prompt)."""

    ids: list[int]
    labels: list[int]


def rows(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> list[Row]:
    """Completion-only rows, tokenized as the tasks are; the end of text is learnt, too.

    Long rows are cut on the right, and dropped where nothing of the completion would remain.
    """
    end = [tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else []
    start = tokenize.special_prefix(tokenizer)
    prompts, completions = [e.prompt for e in examples], [(e.completion,) for e in examples]
    encoded = []
    for ids, (completion,), _ in tokenize.split(tokenizer, prompts, completions):
        prompt = [*start, *ids]
        if completion and len(prompt) < max_length:
            labels = [-100] * len(prompt) + [*completion, *end]
            ids = [*prompt, *completion, *end]
            encoded.append(Row(ids[:max_length], labels[:max_length]))
    if not encoded:
        raise RequestError(f"no example fits into {max_length} tokens: raise max_length=.")
    return encoded


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
