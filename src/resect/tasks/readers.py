"""Readers: how an answer is read, from one fixed table, by the name stored with a task.

What reads stored or foreign answers follows from the task's description (kind, labels, reader) and
never from its name: a name may stand for a file, and a file for code.
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
from resect.sandbox import programs

NOTHING = Reading(None, "", "", None)
"""What was not asked for, or holds nothing that is scored."""


class Reader:
    """Reads the answers to tasks of one kind.

    `version` is kept with every reading, so that an older one is read anew; without its numbers it
    is the reader's name. `rereads` says whether a stored text may be read anew: a program is run
    but once.
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
        """How `text` answers `item`; any text in, one `Reading` out, never an exception."""
        raise NotImplementedError

    def answer(self, raw: RawAnswer, item: Item) -> Reading:
        """How a raw answer is read: its text; nothing where no text was asked for."""
        return NOTHING if raw.stopped is None else self.read(raw.text, item, raw.stopped)


class Label(Reader):
    """One of the item's labels, by the tiered parser: 1.0 if it is the gold, else 0.0."""

    kind = "label"
    version = f"label:2 parse:{parse.VERSION}"

    def read(self, text: str, item: Item, stopped: Stopped = None) -> Reading:
        """The label that the text gives."""
        parsed = parse.parse(text, labels=item.labels, options=item.options, question=item.question)
        return judged(parsed, item)


class Number(Reader):
    """The final number of a solution, compared exactly."""

    kind = "number"
    version = "number:2"

    def read(self, text: str, item: Item, stopped: Stopped = None) -> Reading:
        """The final number; a text that the budget cut before it was announced is truncated."""
        value, outcome, tier = number.number(text)
        cut = stopped == "length" and tier not in ("marked", "declared", "loop")
        if cut and number.own(text) == text:
            value, outcome, tier = None, "truncated", "length"
        wanted = number.exact(item.gold or "")
        right = value is not None and number.exact(value) == wanted
        return Reading(value, outcome, tier, float(right))


class Latex(Reader):
    """The final expression of a solution, compared by value."""

    kind = "number"
    version = "latex:3"

    def read(self, text: str, item: Item, stopped: Stopped = None) -> Reading:
        """The final expression; a text that the budget cut before it is truncated."""
        value, outcome, tier = latex.expression(text)
        cut = stopped == "length" and tier not in ("boxed", "declared", "loop")
        if cut and number.own(text) == text:
            value, outcome, tier = None, "truncated", "length"
        return Reading(value, outcome, tier, float(latex.same(value, item.gold)))


class Spans(Reader):
    """A list of mentions for each of the task's labels; the value is JSON, type and mention."""

    kind = "spans"
    version = "spans:2"

    @property
    def headings(self) -> Mapping[str, str]:
        """The line that a list stands behind, and the label that it is of."""
        return {f"{label}s": label for label in self.labels}

    def read(self, text: str, item: Item, stopped: Stopped = None) -> Reading:
        """The lists in the text against those of the corpus."""
        said, outcome, tier = spans.mentions(text, self.headings, item.context)
        wanted = _mentions(item)
        counts = spans.agree(said or [], wanted, item.context)
        value = None if said is None else json.dumps(said, ensure_ascii=False)
        whole = counts.said + counts.wanted
        score = 2 * counts.correct / whole if whole else float(said is not None)
        parts = {name: float(count) for name, count in counts._asdict().items()}
        return Reading(value, outcome, tier, score, parts)


class Overlap(Reader):
    """A free text against a reference, and what of it stands in the context; scored by ROUGE-L."""

    kind = "text"
    version = "overlap:2"

    def read(self, text: str, item: Item, stopped: Stopped = None) -> Reading:
        """The shares that the two texts have in common."""
        value, outcome, tier = overlap.answer(text)
        parts = overlap.parts(value, item.gold or "", item.context)
        return Reading(value, outcome, tier, parts["rouge_l"], parts)


class Program(Reader):
    """A program, run with the gold as its tests; the context is the code that it goes on."""

    kind = "code"
    version = "program:3"
    rereads = False

    def read(self, text: str, item: Item, stopped: Stopped = None) -> Reading:
        """Run the program in the text with the tests; never without the opt-in.

        What is no program (or was cut before it was one) holds no answer.
        """
        tests = item.gold or ""
        entry = _called(tests)
        found, tier = code.program(text, item.context, entry)
        if found is None:
            return Reading(None, "truncated" if tier == "reasoning" else "degenerate", tier, 0.0)
        if not programs.allowed():
            return Reading(found, "answer", "not run")
        ran = programs.run(found, tests, item.context, entry)
        if ran.how == "walls":
            return Reading(found, "answer", "not run")
        if ran.how == "syntax":
            if stopped == "length":
                return Reading(None, "truncated", "length", 0.0)
            outcome, _ = without_answer(Text(visible(text), (), {}, ""))
            return Reading(None, outcome, "syntax", 0.0)
        outcome = "answer" if tier == "continued" else "recovered"
        return Reading(found, outcome, ran.how, float(ran.passed))


class Score(Reader):
    """How likely a text is: no answer is read, the parts of its perplexity are kept."""

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
    """What a text that reasons ends with; what leads up to it is not read."""

    def __init__(self, inner: Reader) -> None:
        super().__init__(inner.labels)
        self.inner = inner
        self.kind = inner.kind
        self.version = f"cot:2 {inner.version}"

    def read(self, text: str, item: Item, stopped: Stopped = None) -> Reading:
        """The final answer, read as the inner reader reads one."""
        said = final.announced(text)
        if said is not None:
            found = self.inner.read(said, item, stopped)
            if found.value is not None:
                return replace(found, outcome="answer", tier="final")
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
"""Every reader by the name that is stored; with `cot` before it, of the end of a text alone."""

COT = "cot "
REASONED: tuple[Kind, ...] = ("label", "number")
"""Kinds of answers that reasoning may come before."""


def of(info: TaskInfo) -> Reader:
    """What reads the answers to a task that is asked. Raises `RequestError` where none is named."""
    found = _named(info.reader or "", info)
    if found is None:
        raise RequestError(f"task {info.name} ({info.kind}) names no reader of its kind.")
    return found


def again(info: TaskInfo, version: str = "") -> Reader | None:
    """What reads the stored texts of a task anew; None where they stay as they were read.

    That is the reader which the description names; where it names none (it was written by an
    earlier resect, or elsewhere), the one that read them, whose `version` is stored with them; else
    that of labels, where the task has some.
    """
    usual = "label" if info.kind == "label" else ""
    found = _named(info.reader or name_of(version) or usual, info)
    return found if found is not None and found.rereads else None


def fits(name: str, info: TaskInfo) -> bool:
    """Whether `name` is a reader of this table, and one for tasks of this kind."""
    return _named(name, info) is not None


def name_of(version: str) -> str:
    """The name of a reader in its version: `cot label` in `cot:1 label:2 parse:5`."""
    parts = [part.partition(":")[0] for part in version.split()]
    return " ".join(part for part in parts if part != "parse")


def _named(name: str, info: TaskInfo) -> Reader | None:
    bare = name.removeprefix(COT)
    made = READERS.get(bare)
    if made is None or made.kind != info.kind:
        return None
    if bare == name:
        return made(info.labels)
    return Final(made(info.labels)) if made.kind in REASONED else None


def judged(parsed: parse.Parsed, item: Item) -> Reading:
    """A parsed answer against the gold; where abstaining is on offer, a refusal abstains."""
    value, outcome = counted(item, parsed.answer), parsed.outcome
    if outcome == "refusal" and ABSTAIN in item.means.values():
        value, outcome = ABSTAIN, "recovered"
    right = value is not None and value == item.gold
    return Reading(value, outcome, parsed.tier, float(right))


def counted(item: Item, label: str | None) -> str | None:
    """What a label counts as (`Item.meaning`), None for none."""
    return None if label is None else item.meaning(label)


def _mentions(item: Item) -> list[spans.Mention]:
    """The gold mentions of an item; `RequestError` where somebody wrote them otherwise."""
    try:
        return [(str(kind), str(mention)) for kind, mention in json.loads(item.gold or "[]")]
    except (TypeError, ValueError):
        raise RequestError(
            f'item {item.id}: its gold is no list of mentions, like [["Disease", "anaemia"]].'
        ) from None


def _called(tests: str) -> str:
    """The function that the tests call: in HumanEval the one handed to `check`."""
    found = re.search(r"^check\((\w+)\)\s*$", tests, re.MULTILINE)
    return found.group(1) if found else ""
