"""Readers of answers: one fixed table, by the name stored with a task.

The reader of stored or imported answers follows from the description of the task (kind, labels,
reader), never from its name: a name may mean a file, and a file may mean code.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from resect import parse
from resect.errors import RequestError
from resect.parse import code, final, latex, number, overlap, spans
from resect.parse.reading import Reading as Text
from resect.parse.reading import visible
from resect.parse.residue import without_answer
from resect.record import ABSTAIN, Item, Kind, RawAnswer, Reading, Stopped, TaskInfo
from resect.tasks.sandbox import programs

NOTHING = Reading(None, "", "", None)
"""The reading of a text that was not asked for, or holds nothing to score."""


class Reader:
    """Reads the answers to tasks of one kind.

    `version` is stored with every reading, so that older ones are read again; without its numbers
    it is the name of the reader. `rereads` says whether stored texts may be read again: a program
    is run only once.
    """

    kind: Kind
    version: str
    rereads = True

    def __init__(self, labels: Sequence[str] = ()) -> None:
        self.labels = tuple(labels)

    @property
    def name(self) -> str:
        """What `TaskInfo.reader` holds."""
        return name_of(self.version)

    def read(self, text: str, item: Item, stopped: Stopped = None) -> Reading:
        """How `text` answers `item`: any text in, one `Reading` out; never raises."""
        raise NotImplementedError

    def answer(self, raw: RawAnswer, item: Item) -> Reading:
        """The reading of a raw answer; nothing if no text was asked for."""
        return NOTHING if raw.stopped is None else self.read(raw.text, item, raw.stopped)


class Label(Reader):
    """One of the item's labels, by the tiered parser: 1.0 if it is the gold, else 0.0."""

    kind = "label"
    version = f"label:2 parse:{parse.VERSION}"

    def read(self, text: str, item: Item, stopped: Stopped = None) -> Reading:
        """The label that the text gives."""
        parsed = parse.parse(text, labels=item.labels, options=item.options, question=item.question)
        return judged(parsed, item)


Ending = tuple[str | None, str, str]
"""Value, outcome and tier of a solution."""


def unless_cut(parsed: Ending, text: str, stopped: Stopped, announced: str) -> Ending:
    """What a solution ended with; truncated where the budget cut it before it was announced."""
    told = parsed[2] in (announced, "declared", "loop")
    if stopped == "length" and not told and number.own(text) == text:
        return None, "truncated", "length"
    return parsed


class Number(Reader):
    """The final number of a solution, compared exactly."""

    kind = "number"
    version = "number:2"

    def read(self, text: str, item: Item, stopped: Stopped = None) -> Reading:
        """The final number; a text that the budget cut before it was announced is truncated."""
        value, outcome, tier = unless_cut(number.number(text), text, stopped, "marked")
        wanted = number.exact(item.gold or "")
        right = value is not None and number.exact(value) == wanted
        return Reading(value, outcome, tier, float(right))


class Latex(Reader):
    """The final expression of a solution, compared by value."""

    kind = "number"
    version = "latex:3"

    def read(self, text: str, item: Item, stopped: Stopped = None) -> Reading:
        """The final expression; a text that the budget cut before it is truncated."""
        value, outcome, tier = unless_cut(latex.expression(text), text, stopped, "boxed")
        return Reading(value, outcome, tier, float(latex.same(value, item.gold)))


class Spans(Reader):
    """A list of mentions for each label; the value is JSON pairs of type and mention."""

    kind = "spans"
    version = "spans:2"

    @property
    def headings(self) -> Mapping[str, str]:
        """The line that a list stands behind, and the label that it is of."""
        return {f"{label}s": label for label in self.labels}

    def read(self, text: str, item: Item, stopped: Stopped = None) -> Reading:
        """The lists in the text against those of the corpus."""
        mentions, outcome, tier = spans.mentions(text, self.headings, item.context)
        wanted = _mentions(item)
        counts = spans.agree(mentions or [], wanted, item.context)
        value = None if mentions is None else json.dumps(mentions, ensure_ascii=False)
        whole = counts.said + counts.wanted
        score = 2 * counts.correct / whole if whole else float(mentions is not None)
        parts = {name: float(count) for name, count in counts._asdict().items()}
        return Reading(value, outcome, tier, score, parts)


class Overlap(Reader):
    """A free text against a reference and the context; scored by ROUGE-L."""

    kind = "text"
    version = "overlap:2"

    def read(self, text: str, item: Item, stopped: Stopped = None) -> Reading:
        """The shares that the two texts have in common."""
        value, outcome, tier = overlap.answer(text)
        parts = overlap.parts(value, item.gold or "", item.context)
        return Reading(value, outcome, tier, parts["rouge_l"], parts)


class Program(Reader):
    """A program, run with the gold as its tests; the context is the code that it continues."""

    kind = "code"
    version = "program:3"
    rereads = False

    def read(self, text: str, item: Item, stopped: Stopped = None) -> Reading:
        """Run the program in the text with the tests, only with the opt-in.

        A text without a complete program holds no answer.
        """
        tests = item.gold or ""
        entry = _called(tests)
        source, tier = code.program(text, item.context, entry)
        if source is None:
            return Reading(None, "truncated" if tier == "reasoning" else "degenerate", tier, 0.0)
        if not programs.allowed():
            return Reading(source, "answer", "not run")
        result = programs.run(source, tests, item.context, entry)
        if result.how == "walls":
            return Reading(source, "answer", "not run")
        if result.how == "syntax":
            if stopped == "length":
                return Reading(None, "truncated", "length", 0.0)
            outcome, _ = without_answer(Text(visible(text), (), {}, ""))
            return Reading(None, outcome, "syntax", 0.0)
        outcome = "answer" if tier == "continued" else "recovered"
        return Reading(source, outcome, result.how, float(result.passed))


class Score(Reader):
    """The likelihood of a text: no answer is read, only the parts of its perplexity."""

    kind = "score"
    version = "score:1"
    rereads = False

    def read(self, text: str, item: Item, stopped: Stopped = None) -> Reading:
        """Nothing: no text is asked for."""
        return NOTHING

    def answer(self, raw: RawAnswer, item: Item) -> Reading:
        """Sums over the window: negative log-likelihood, tokens, words, bytes."""
        scores = raw.option_scores
        if not scores or not math.isfinite(scores[0]):
            return NOTHING
        text = item.choices[0]
        parts = {
            "nll": -scores[0],
            "tokens": float(raw.tokens),
            "words": float(len(text.split())),
            "bytes": float(len(text.encode())),
        }
        return Reading(None, "", "", None, parts)


class Final(Reader):
    """The final answer of a text that reasons; the reasoning is not read."""

    def __init__(self, inner: Reader) -> None:
        super().__init__(inner.labels)
        self.inner = inner
        self.kind = inner.kind
        self.version = f"cot:2 {inner.version}"

    def read(self, text: str, item: Item, stopped: Stopped = None) -> Reading:
        """The final answer, read as the inner reader reads one."""
        answer = final.announced(text)
        if answer is not None:
            reading = self.inner.read(answer, item, stopped)
            if reading.value is not None:
                return replace(reading, outcome="answer", tier="final")
        finished = stopped != "length"
        if self.kind == "label":
            end = final.concluded(text, item.labels, item.options, item.question, finished)
            return judged(parse.Parsed(*end), item)
        if finished:
            return self.inner.read(text, item, stopped)
        _, outcome, tier = final.concluded(text, (), None, item.question, finished)
        return Reading(None, outcome, tier, 0.0)


READERS: Mapping[str, type[Reader]] = {
    "label": Label,
    "number": Number,
    "latex": Latex,
    "spans": Spans,
    "overlap": Overlap,
    "program": Program,
    "score": Score,
}
"""Every reader by its stored name; with `cot` before it, it reads only the final answer."""

COT = "cot "
REASONED: tuple[Kind, ...] = ("label", "number")
"""The kinds of answer that reasoning may precede."""


def of(info: TaskInfo) -> Reader:
    """The reader for a task that is being asked; raises `RequestError` if it names none."""
    reader = _named(info.reader or "", info)
    if reader is None:
        raise RequestError(f"task {info.name} names no reader for its kind, {info.kind}.")
    return reader


def again(info: TaskInfo, version: str = "") -> Reader | None:
    """The reader that reads the stored texts of a task again, or None if they stay as read.

    It is the one that the description names; without that (the data is older or imported), the
    one that read them, by its stored `version`; without that, the label reader for label tasks.
    """
    usual = "label" if info.kind == "label" else ""
    reader = _named(info.reader or name_of(version) or usual, info)
    return reader if reader is not None and reader.rereads else None


def fits(name: str, info: TaskInfo) -> bool:
    """Whether `name` is a reader in the table for tasks of this kind."""
    return _named(name, info) is not None


def name_of(version: str) -> str:
    """The name of a reader in its version: `cot label` in `cot:1 label:2 parse:5`."""
    parts = [part.partition(":")[0] for part in version.split()]
    return " ".join(part for part in parts if part != "parse")


def _named(name: str, info: TaskInfo) -> Reader | None:
    bare = name.removeprefix(COT)
    reader = READERS.get(bare)
    if reader is None or reader.kind != info.kind:
        return None
    if bare == name:
        return reader(info.labels)
    return Final(reader(info.labels)) if reader.kind in REASONED else None


def judged(parsed: parse.Parsed, item: Item) -> Reading:
    """A parsed answer against the gold; if abstaining is an option, a refusal counts as that."""
    value, outcome = counted(item, parsed.answer), parsed.outcome
    if outcome == "refusal" and ABSTAIN in item.means.values():
        value, outcome = ABSTAIN, "recovered"
    right = value is not None and value == item.gold
    return Reading(value, outcome, parsed.tier, float(right))


def counted(item: Item, label: str | None) -> str | None:
    """What a label counts as (`Item.meaning`), None for none."""
    return None if label is None else item.meaning(label)


def _mentions(item: Item) -> list[spans.Mention]:
    """The gold mentions of an item; raises `RequestError` for another format."""
    try:
        return [(str(kind), str(mention)) for kind, mention in json.loads(item.gold or "[]")]
    except (TypeError, ValueError):
        raise RequestError(
            f'item {item.id}: its gold must be a list of mentions, like [["Disease", "anaemia"]].'
        ) from None


def _called(tests: str) -> str:
    """The function that the tests call: in HumanEval the one handed to `check`."""
    match = re.search(r"^check\((\w+)\)\s*$", tests, re.MULTILINE)
    return match.group(1) if match else ""
