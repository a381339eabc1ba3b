"""Windows of tokens from calibration text: a file, a hub dataset, a task's training texts, clinic.

Legend: N windows, T tokens of each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from resect import clinic, tasks
from resect.errors import RequestError
from resect.record import digest
from resect.spec import Calibration, ModelRef
from resect.tasks import Source, hub, offline

_TASK = "task:"
NAMED = {
    "c4": (None, "allenai/c4:en"),
    "wikitext2": ("wikitext2_valid.jsonl.gz", "Salesforce/wikitext:wikitext-2-raw-v1"),
}
"""Texts that are known by a name: the offline file of a data folder, and the set on the hub."""
_MOST = 1 << 24  # tokens that windows are drawn from, unless more are asked for


class Tokens(NamedTuple):
    """Token ids (N, T)."""

    ids: Tensor


def tokens(
    calibration: Calibration,
    tokenizer: PreTrainedTokenizerBase,
    room: int,
    data_dir: Path | None = None,
) -> Tokens:
    """`nsamples` windows of `seqlen` tokens from the text, by seed.

    Documents are joined with the end-of-text token, so that short ones count, too. `seqlen` is at
    most `room`, what the model can read. Raises `RequestError` where the text is too short.
    """
    window = min(calibration.seqlen, room)
    wanted = calibration.nsamples * window
    end = [tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else []
    stream: list[int] = []
    for text in texts(calibration.data, data_dir):
        stream += tokenizer(text, add_special_tokens=False).input_ids + end
        if len(stream) > min(64 * wanted, max(wanted, _MOST)):
            break
    if len(stream) < 2 * window:
        raise RequestError(
            f"calibration text {calibration.data} has {len(stream)} tokens, too few for windows of "
            f"{window}: give more text, or a smaller --seqlen."
        )
    generator = torch.Generator().manual_seed(calibration.seed)
    starts = torch.randint(0, len(stream) - window, (calibration.nsamples,), generator=generator)
    ids_of_text = torch.tensor(stream)
    ids = torch.stack([ids_of_text[start : start + window] for start in starts.tolist()])
    return Tokens(ids)


def name_of(calibration: Calibration, data_dir: Path | None = None) -> str:
    """Hash of the request and of the content of a file or of a task's training texts; of a hub
    dataset, of its commit. Raises `RequestError` where the text is missing.
    """
    content = hashlib.sha256()
    for part in calibration.data.split("|"):
        path = _file_of(part, data_dir)
        content.update(path.read_bytes() if path else b"")
        if path is None and part != "clinic" and not part.startswith(_TASK):
            content.update(hub.revision(*_on_hub(part)).encode())
        for text in texts(part, data_dir) if part.startswith(_TASK) else ():
            content.update(text.encode() + b"\0")
    return digest([calibration.model_dump(), content.hexdigest()])


def check_files(calibration: Calibration | None) -> None:
    """Raise `RequestError` where a file that the calibration names is missing."""
    for part in calibration.data.split("|") if calibration and calibration.data else ():
        _file_of(part)


def filled(
    calibration: Calibration | None, ref: ModelRef, names: Sequence[str], data_dir: Path | None
) -> Calibration:
    """The calibration with a text, where it names none: the training texts of the tasks, in turn.

    Without any it is WikiText-2; for an embedded model its own, as it knows no other.
    """
    asked = calibration or Calibration()
    if asked.data:
        return asked
    usable = [name for name in names if _has_training(name, data_dir)]
    text = "|".join(f"{_TASK}{name}" for name in usable) or "wikitext2"
    embedded = ref.id.startswith("clinic:")
    return asked.model_copy(update={"data": "clinic" if embedded else text})


def _has_training(name: str, data_dir: Path | None) -> bool:
    """Whether a task has training texts that can be had here."""
    try:
        return next(iter(texts(f"{_TASK}{name}", data_dir)), None) is not None
    except RequestError:
        return False


def _file_of(data: str, data_dir: Path | None = None) -> Path | None:
    """The file that a source names, None where it is no file's name."""
    if data.startswith(_TASK):
        return None
    offline_file, _ = NAMED.get(data, (None, ""))
    path = data_dir / offline_file if data_dir and offline_file else Path(data).expanduser()
    if path.is_file():
        return path
    if path.suffix or data.startswith((".", "/", "~")):
        raise RequestError(
            f"there is no text file {path}: give another path, a hub dataset, task:NAME or "
            f"{', '.join(NAMED)}."
        )
    return None


def texts(data: str, data_dir: Path | None = None) -> Iterator[str]:
    """Documents of a calibration source: `clinic`, `wikitext2`, `c4`, a .txt or .jsonl[.gz] file,
    or a hub dataset (`name`, or `name:config`).

    `wikitext2` is WikiText-2's training text from the hub, or its validation text in `data_dir`.
    `task:NAME` are a task's own training texts, never its items; `data_dir` has its offline files.
    Several sources, joined by `|`, take turns until one of them ends.
    """
    if "|" in data:
        sources = [texts(part, data_dir) for part in data.split("|")]
        yield from chain.from_iterable(zip(*sources, strict=False))
        return
    path = _file_of(data, data_dir)
    if data == "clinic":
        yield from clinic.calibration_texts()
    elif data.startswith(_TASK):
        yield from tasks.get(data.removeprefix(_TASK)).training(Source(data_dir))
    elif path is not None:
        yield from _file(path)
    else:
        for row in hub.rows(*_on_hub(data), "train", streaming=True):
            yield _document(row)


def _on_hub(data: str) -> tuple[str, str | None]:
    """Name and config of the hub dataset that a source names."""
    return hub.named(NAMED[data][1] if data in NAMED else data)


def _document(row: Mapping[str, Any]) -> str:
    """The text of a row of a hub dataset: its column `text`, its `messages`, else all columns of
    text, joined by line breaks.
    """
    if "text" in row:
        return str(row["text"])
    if "messages" in row:
        return "\n".join(str(turn["content"]) for turn in row["messages"])
    return "\n".join(
        value for name, value in row.items() if isinstance(value, str) and name != "id"
    )


def _file(path: Path) -> Iterator[str]:
    if ".jsonl" not in path.name:
        yield offline.text(path)
        return
    for number, row in offline.objects(path):
        if "text" not in row:
            raise RequestError(
                f"calibration file {path} line {number} has no field text: give plain text, or "
                "JSON lines with that field."
            )
        yield str(row["text"])
