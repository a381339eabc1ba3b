"""The model to learn from: beside the student, or its likeliest tokens on disk.

Legend: N places to learn, K tokens kept of each, V vocabulary.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import log_softmax
from transformers import PreTrainedModel

from resect.recover import losses
from resect.recover.training_data import Row, collate

_WHOLE = "whole.json"  # written last: what the files hold
_BATCH = 8  # rows that the teacher reads at once
_LEAST = 1e-9  # of a probability of all other tokens together


class Teacher:
    """Mean T^2 KL(teacher || student), T the `temperature`, and `hard` times the own loss."""

    def __init__(self, temperature: float, hard: float) -> None:
        self.temperature, self.hard = temperature, hard

    def distance(self, student: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
        """From the student's logits (N, V) at the places to learn of a batch."""
        raise NotImplementedError


class Beside(Teacher):
    """A teacher in memory, run on every batch."""

    def __init__(self, model: PreTrainedModel, temperature: float, hard: float) -> None:
        super().__init__(temperature, hard)
        self.model = model

    @torch.no_grad()
    def _logits(self, inputs: Mapping[str, Tensor]) -> Tensor:
        return losses.learnt(self.model, inputs).logits

    def distance(self, student: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
        """The divergence over the whole vocabulary."""
        return losses.distance(student, self._logits(inputs), self.temperature)


class Remembered(Teacher):
    """The teacher's K likeliest tokens at every place to learn, computed once, on disk.

    All other tokens are one: the divergence is from below, and exact where K is V.
    """

    def __init__(self, folder: Path, temperature: float, hard: float) -> None:
        super().__init__(temperature, hard)
        self.ids = np.load(folder / "ids.npy", mmap_mode="r")
        self.logs = np.load(folder / "logs.npy", mmap_mode="r")
        stored = json.loads((folder / _WHOLE).read_text(encoding="utf-8"))
        self.starts = {(tuple(ids), count): start for ids, count, start in stored}

    def distance(self, student: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
        """The divergence over the tokens kept, and all others as one."""
        names = ("input_ids", "attention_mask", "labels")
        rows: list[int] = []
        for tokens, mask, labels in zip(*(inputs[name].tolist() for name in names), strict=True):
            count = _learnt(labels)
            start = self.starts[tuple(tokens[: sum(mask)]), count]
            rows += range(start, start + count)
        ids = torch.from_numpy(self.ids[rows].astype(np.int64)).to(student.device)
        logs = torch.from_numpy(self.logs[rows]).to(student.device)
        theirs = log_softmax(student.float() / self.temperature, -1).gather(1, ids)
        total = (logs.exp() * (logs - theirs)).sum(1)
        if ids.shape[1] < student.shape[1]:
            rest = (1 - logs.exp().sum(1)).clamp_min(_LEAST)
            left = (1 - theirs.exp().sum(1)).clamp_min(_LEAST)
            total = total + rest * (rest.log() - left.log())
        return self.temperature**2 * total.mean()


@torch.no_grad()
def remember(
    model: PreTrainedModel,
    rows: Sequence[Row],
    top: int,
    temperature: float,
    pad: int,
    folder: Path,
) -> None:
    """Write a teacher's `top` likeliest tokens at the places to learn of all rows to `folder`.

    A folder that is whole is left as it is.
    """
    if (folder / _WHOLE).is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    starts: list[tuple[list[int], int, int]] = []
    unlike = list({(tuple(row.ids), _learnt(row.labels)): row for row in rows}.values())
    total = sum(_learnt(row.labels) for row in unlike)
    size = min(top, int(model.config.get_text_config().vocab_size))
    shape = (total, size)
    every_id = np.lib.format.open_memmap(folder / "ids.npy", "w+", np.int32, shape)
    every_log = np.lib.format.open_memmap(folder / "logs.npy", "w+", np.float32, shape)
    done = 0
    for start in range(0, len(unlike), _BATCH):
        batch = unlike[start : start + _BATCH]
        inputs = {name: value.to(model.device) for name, value in collate(batch, pad).items()}
        logits = losses.learnt(model, inputs).logits.float() / temperature
        logs, ids = log_softmax(logits, -1).topk(size, -1)
        end = done + len(logs)
        every_id[done:end], every_log[done:end] = ids.cpu().numpy(), logs.cpu().numpy()
        for row in batch:
            starts.append((row.ids, _learnt(row.labels), done))
            done += _learnt(row.labels)
    every_id.flush()
    every_log.flush()
    (folder / _WHOLE).write_text(json.dumps(starts), encoding="utf-8")


def _learnt(labels: Sequence[int]) -> int:
    """How many places of a row are learnt; its first token has no place before it."""
    return sum(label != losses.NOTHING for label in labels[1:])
