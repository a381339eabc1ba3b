"""The rows that all later steps read: items, answers, cells, measurements.

Plain frozen data: no behaviour beyond identity and how it is stored. Imports nothing of resect.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

Kind = Literal["label", "number", "spans", "code", "text", "score"]
View = Literal["text", "options"]
Status = Literal["success", "degraded", "failed", "skipped"]
"""How a cell ended; `skipped` was not asked, since the verdict did not need it."""


OUTCOMES = ("answer", "recovered", "echo", "off_task", "degenerate", "refusal", "truncated")
"""The kinds of text that come back. Only `answer`, `recovered` and `degenerate` can hold an "
"answer."""

ABSTAIN = "abstain"
"""The meaning of a label that stands for not answering ("I do not know")."""

Stopped = Literal["eos", "stop", "length"] | None
"""Why a text ended: the model's end token, a stop string, or its length."""

TRANSFORMERS, LLAMA_CPP, VLLM = "transformers", "llama.cpp", "vllm"
"""Runtimes: where a state is asked. Others are named by the server at an address."""

GGUF_BITS: Mapping[str, float] = {
    "F16": 16.0, "Q8_0": 8.5, "Q6_K": 6.56, "Q5_K_M": 5.7, "Q4_K_M": 4.89, "Q4_0": 4.64,
    "IQ4_XS": 4.46, "Q3_K_M": 4.01, "IQ3_XXS": 3.25, "Q2_K": 3.16, "IQ2_XS": 2.59,
}  # fmt: skip
"""GGUF types and their level: bits per weight that a Llama of 8 billion parameters has in them.

What a file really takes is measured; small models take more. None is a whole number of bits, which
stand for other quantizers.
"""


def bits_in_words(level: float) -> str:
    """A level of bits per weight: the GGUF type that it stands for, else `4 bits`."""
    return next((name for name, bits in GGUF_BITS.items() if bits == level), f"{level:g} bits")


def digest(value: Any) -> str:
    """A short, stable name for any JSON value: `h1:` (hash version) and 20 hex digits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "h1:" + hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class Item:
    """One question.

    `choices[i]` is the continuation whose log-likelihood stands for `labels[i]` in the options
    view; empty where a task has no options view. A variant (options permuted, context swapped)
    names its `parent` and `variant`; accuracy reads items without a variant, resampling is
    clustered by parent.

    `means` maps a label to what it counts as, where that is another: several options may be right
    (they mean the gold), and an option that declines to answer means `ABSTAIN`. `turns` are
    (role, text) of a conversation that the model's own chat template renders; `prompt` then only
    shows them. The last two are left out of the key where empty, so that older keys still hold.
    `context` is the part of the prompt that the answer is to be found in.
    """

    id: str
    prompt: str
    gold: str | None
    labels: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    options: Mapping[str, str] | None = None
    question: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    parent: str | None = None
    variant: str | None = None
    means: Mapping[str, str] = field(default_factory=dict)
    turns: tuple[tuple[str, str], ...] = ()
    context: str = ""

    def meaning(self, label: str) -> str:
        """What a label counts as: its meaning, or the gold if both options have the same text."""
        texts, gold = self.options or {}, self.gold
        if gold is not None and label in texts and texts[label] == texts.get(gold):
            return gold
        return self.means.get(label, label)

    @property
    def key(self) -> str:
        """Hash of all that can change the answer or how it is read: not tags, not the context,
        which stands in the prompt.
        """
        row = asdict(self)
        del row["tags"], row["context"]
        for name in ("means", "turns"):
            if not row[name]:
                del row[name]
        return digest(row)


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """The description of a task without its items: enough to analyse it and print its protocol.

    `primary` and `margin` drive the verdict. `losses` are what kinds of errors cost where it is not
    1: `missed_positive`, `false_reassurance` (an item of the positive label answered as another),
    `confident_error`. `caps` are those of guardrails where they are not the usual ones
    (`resect.findings.guardrails`). `positive` names the label of miss rate and
    yes-bias; `scored` says what the options view scores: `letter`, `text` or `text-normalised`
    (sum of log-probabilities divided by the bytes of the choice). `protocol` is one sentence:
    split, prompt, few-shots, decoding, scoring. `hub` is a dataset id on the Hugging Face hub,
    `revision` the commit it is read at, `file` the offline file that stands for it. `domain` is
    None where the items are of both. `reader` names what reads the answers
    (`resect.tasks.readers`): with the kind and the labels all that it goes by, whatever the name.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    summary: str
    protocol: str
    max_new_tokens: int
    stop: tuple[str, ...] = ()
    scored: Literal["letter", "text", "text-normalised"] = "letter"
    primary: str = "accuracy"
    margin: float = 0.05
    losses: Mapping[str, float] = field(default_factory=dict)
    caps: Mapping[str, float] = field(default_factory=dict)
    positive: str | None = None
    version: int = 1
    hub: str | None = None
    revision: str | None = None
    file: str | None = None
    domain: Literal["medical", "general"] | None = None
    reader: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """How a text was read: `value` is the answer in it or None, `score` from 0 to 1.

    The value is a label, a number, a JSON list of mentions, a program or a text, by the kind of
    the task. Without one the score is 0. `parts` are the counts and shares of this one item that
    metrics over all items are made of (`resect.findings.part_metrics` lists them).
    """

    value: str | None
    outcome: str
    tier: str
    score: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict)


class Likely(NamedTuple):
    """The likeliest tokens at one place: `back` tokens before the answer, 0 for its first token.

    `logs` are their log-probabilities over the whole vocabulary, in falling order.
    """

    back: int
    ids: tuple[int, ...]
    logs: tuple[float, ...]


def packed(places: Sequence[Likely]) -> bytes:
    """Places as stored: of each `back`, how many tokens, their ids, their log-probabilities."""
    parts = []
    for back, ids, logs in places:
        parts += [struct.pack(f"<HH{len(ids)}I{len(logs)}f", back, len(ids), *ids, *logs)]
    return b"".join(parts)


def unpacked(content: bytes) -> tuple[Likely, ...]:
    """The places that `packed` wrote."""
    places, at = [], 0
    while at < len(content):
        back, count = struct.unpack_from("<HH", content, at)
        values = struct.unpack_from(f"<{count}I{count}f", content, at + 4)
        places.append(Likely(back, values[:count], values[count:]))
        at += 4 + 8 * count
    return tuple(places)


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What the model returned for one prompt, before it is read.

    `option_scores[i]`: sum of log-probabilities of `choices[i]` after the prompt (natural log).
    `stopped` is None where no text was asked for; `tokens` then counts those of the choices.
    `likely`: the likeliest tokens at the answer and at a few places of the prompt, where told.
    """

    text: str
    stopped: Stopped
    tokens: int
    option_scores: tuple[float, ...] | None = None
    likely: tuple[Likely, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """One stored answer: raw text, option scores, and how both were read.

    Keyed by (`asking`, `item`): the cell without its item set, and the item's key. `reader` names
    the version that read the text, `chosen` is the label of the best option (None where nothing
    was scored), `recorded` how another study read the text, where it is another study's answer.
    """

    asking: str
    item: str
    raw: RawAnswer
    reading: Reading
    reader: str
    chosen: str | None
    recorded: str | None = None


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step did, asked and measured; with `notes`, the cell counts as degraded.

    `asked` and `measured` are fractions removed (quantizers: bits per weight); `targeted` counts
    the units in scope (`unit` says of what), `gone` those that are exactly zero or cut out
    afterwards. `physical`: they are cut out, so that the model is smaller.
    """

    step: str
    asked: float | None
    measured: float | None
    targeted: int
    gone: int
    scope: str
    notes: tuple[str, ...] = ()
    unit: str = "weights"
    physical: bool = False


@dataclass(frozen=True, slots=True)
class Measurement:
    """One state of a model, measured on the model itself; None where not measured.

    Bytes in bytes, `bits_per_weight` averaged over all parameters. `shape` names the tensors'
    shapes and types: memory and speed are measured once for each. `parts`: the bytes on disk by
    what they are for. `workload` holds what the fixed
    workload showed (docs/summary.md); its peak and its tokens per second stand out. `digest` is a
    hash of the weights, the same for the folder that `resect compress` writes.
    """

    state: str
    measured_level: float | None
    parameters: int
    zeros: int | None
    targeted: int
    bytes_in_memory: int
    bits_per_weight: float
    bytes_on_disk: int | None = None
    peak_memory: int | None = None
    tokens_per_second: float | None = None
    shape: str | None = None
    workload: Mapping[str, Any] | None = None
    parts: Mapping[str, int] | None = None
    steps: tuple[Mapping[str, Any], ...] = ()
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class CellResult:
    """One finished cell and how it ended; `reason` is set unless the status is success.

    `items` are the keys of those that it was asked, which may be fewer than were planned.
    """

    cell: str
    asking: str
    state: str
    model: str
    role: str
    recipe: str
    level: float | None
    seed: int
    task: str
    status: Status
    reason: str | None
    items: tuple[str, ...]
    spec: Mapping[str, Any]
    seconds: float | None = None
    runtime: str = TRANSFORMERS


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a run took place, stored with its numbers; `runtimes` has servers and their flags."""

    resect: str
    python: str
    platform: str
    packages: Mapping[str, str]
    device: str
    started: str
    runtimes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
