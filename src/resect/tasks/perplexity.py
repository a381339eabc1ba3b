"""Perplexity of a text: `perplexity:WHAT[@WINDOW[/STRIDE]]`, and `wikitext2[@...]`.

WHAT is a .txt file (one document), a .jsonl[.gz] file (one document a record, field `text`), a set
known by name (wikitext2, wikitext2-tokenised, medical-abstracts), or hub:REPOSITORY[:CONFIG] (split
test, column `text`, rows joined). Windows are counted in words, so that models with other
tokenizers are asked the same: each scores STRIDE words after up to WINDOW - STRIDE words of the
same document. `@2048tok` counts tokens of the study's first model instead, as published tables do:
lines joined by an empty line, whole windows one after another, all but the first token scored.
Perplexity of tokens can be compared between states of one model only, that of words
and the bits per byte between models too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

from resect.errors import RequestError
from resect.record import Item, TaskInfo
from resect.tasks import hub, offline
from resect.tasks.contract import QuestionTask, Source
from resect.tasks.question import Question, length
from resect.tasks.readers import Score

WINDOW, STRIDE = 256, 128
REVISION = "b08601e04326c79dfdd32d625aee71d232d685c3"
"""The commit that WikiText is read at."""

FEWEST = 20
"""With at least this many documents, the windows of a document are resampled together."""


@dataclass(frozen=True)
class Known:
    """A named data set: its offline file, its form, and its place on the hub."""

    file: str
    form: str
    hub: str | None = None
    domain: str | None = None


KNOWN = {
    "wikitext2": Known(
        "wikitext2_raw_test.jsonl.gz", "WikiText-2 test, raw form, by article",
        "Salesforce/wikitext:wikitext-2-raw-v1", "general",
    ),
    "wikitext2-tokenised": Known(
        "wikitext2_test.jsonl.gz", "WikiText-2 test, tokenised form with <unk>, by article",
        "Salesforce/wikitext:wikitext-2-v1", "general",
    ),
    "medical-abstracts": Known(
        "medical_abstracts.jsonl.gz", "medical abstracts with their titles, by abstract",
        None, "medical",
    ),
}  # fmt: skip


class Perplexity(QuestionTask):
    """Windows of a text as items: the prompt is the context, the only choice is what is scored."""

    reader = Score()
    about: ClassVar = TaskInfo(
        name="perplexity:<text>",
        kind="score",
        labels=(),
        summary="perplexity of a text file or hub set, in windows; shown, never judged",
        protocol="windows of 256 words, each scored by its last 128",
        max_new_tokens=0,
        primary="perplexity",
        scored="text",
    )

    def __init__(self, argument: str) -> None:
        super().__init__()
        self.what, self.window, self.stride, self.in_tokens = _read(argument)
        known = KNOWN.get(self.what)
        form = known.form if known else f"{self.what}, as it stands"
        self.info = replace(
            self.about,
            name=f"perplexity:{argument}",
            domain=known.domain if known else None,  # type: ignore[arg-type]
            summary=f"perplexity of {self.what}, in windows; shown, never judged",
            protocol=f"{form}, {self._windows()}, log-likelihoods summed over tokens, words and "
            "bytes; no text is generated",
            hub=known.hub if known else None,
            revision=REVISION if known and known.hub else None,
            file=known.file if known else None,
            reader=self.reader.name,
        )

    def _windows(self) -> str:
        """The windows in words."""
        if not self.in_tokens:
            return (
                f"windows of {self.window} words, each scored by its last {self.stride} (the first "
                "of a document from its start), words with the blanks before them"
            )
        return (
            f"lines joined by an empty line, windows of {self.window} tokens of the study's first "
            f"model, each scored by its last {min(self.stride, self.window - 1)}, the last window "
            "left out where it is not whole"
        )

    def describe(self, source: Source) -> TaskInfo:
        """Examples, chat turns and token limits do not apply to a text."""
        return self.info

    def questions(self, source: Source) -> Iterator[Question]:
        """Every window, document by document."""
        texts = list(self._documents(source))
        if self.in_tokens:
            texts = [("all", _published("".join(text for _, text in texts)))]
        for name, text in texts:
            units = self._tokens(text, source) if self.in_tokens else _words(text)
            for start in range(0, len(units), self.stride):
                scored = units[start : start + self.stride]
                before = units[max(0, start - (self.window - self.stride)) : start]
                if self.in_tokens and len(scored) < self.stride:
                    continue
                if self.in_tokens and not before:  # something has to come before what is scored
                    before, scored = scored[:1], scored[1:]
                yield Question(
                    id=f"{self.info.name}/{name}/{start:06d}",
                    question="",
                    context="".join(before),
                    gold="".join(scored),
                    labels=("text",),
                    tags={"document": name} if len(texts) >= FEWEST else {},
                )

    def _tokens(self, text: str, source: Source) -> list[str]:
        """The pieces of a text, one a token."""
        if source.token_starts is None:
            raise RequestError(
                f"{self.info.name} counts tokens of a model's own tokenizer, which a server does "
                "not give: count windows in words, without tok."
            )
        starts = source.token_starts(text)
        return [text[start:end] for start, end in pairwise([*starts, len(text)])]

    def prompt(self, question: Question) -> str:
        """What comes before."""
        return question.context

    def choices(self, question: Question) -> tuple[str, ...]:
        """What is scored."""
        return (question.gold,)

    def item(self, question: Question, source: Source) -> Item:
        """The plain text, whatever format the other questions of the study have."""
        return Item(
            id=question.id,
            prompt=question.context,
            gold=None,
            labels=question.labels,
            choices=(question.gold,),
            tags={"length": length(question.gold)},
            parent=question.tags.get("document"),
        )

    def _documents(self, source: Source) -> Iterator[tuple[str, str]]:
        """(name, text) of every document that has a word."""
        known = KNOWN.get(self.what)
        if known and (source.data_dir or known.hub is None):
            rows = offline.rows(source.data_dir, known.file, {"id": str, "text": str})
            documents: Iterable[tuple[str, str]] = ((row["id"], row["text"]) for row in rows)
        elif known or self.what.startswith("hub:"):
            name = known.hub if known and known.hub else self.what.removeprefix("hub:")
            documents = [("all", _joined(name, REVISION if known else None))]
        else:
            documents = _file(Path(self.what).expanduser())
        return ((name, text) for name, text in documents if text.strip())


class WikiText2(Perplexity):
    """The raw test text of WikiText-2 by its usual name."""

    def __init__(self, windows: str = "") -> None:
        super().__init__(f"wikitext2{windows}")
        self.info = replace(self.info, name=f"wikitext2{windows}")


def _read(argument: str) -> tuple[str, int, int, bool]:
    """WHAT, window, stride, and whether these are tokens; `RequestError` if they are not valid."""
    match = re.fullmatch(r"(.+?)(?:@(\d+)(?:/(\d+))?(tok)?)?", argument)
    in_tokens = bool(match and match[4])
    window = int((match and match[2]) or WINDOW)
    stride = int((match and match[3]) or (window if in_tokens else max(1, window // 2)))
    if match is None or not 1 <= stride <= window or (in_tokens and stride < 2):
        raise RequestError(
            f"perplexity:{argument} cannot be read: write WHAT@WINDOW/STRIDE, like "
            "wikitext2@256/128, counted in words, or wikitext2@2048tok, counted in tokens; the "
            "stride is no larger than the window."
        )
    return match[1], window, stride, in_tokens


def _published(text: str) -> str:
    """A text as published tables read it: lines with their ends, joined by an empty line."""
    lines = text.splitlines(keepends=True)
    return "\n\n".join(line if line.strip() else "" for line in lines)


def _words(text: str) -> list[str]:
    """Words with the spaces before them; trailing spaces belong to the last word."""
    words = re.findall(r"\s*\S+", text)
    end = len(text) - len(text.rstrip())
    return [*words[:-1], words[-1] + text[len(text) - end :]] if words and end else words


def _joined(name: str, revision: str | None) -> str:
    rows = (str(r["text"]) for r in hub.rows(*hub.named(name), "test", revision))
    return "".join(row if row.endswith("\n") else f"{row}\n" for row in rows)


def _file(path: Path) -> Iterator[tuple[str, str]]:
    """Documents of a text or JSON Lines file."""
    try:
        if not path.name.removesuffix(".gz").endswith(".jsonl"):
            yield path.name, offline.text(path)
            return
        for number, row in offline.objects(path):
            if not isinstance(row.get("text"), str):
                raise RequestError(f"{path} line {number} has no field 'text'.")
            yield str(row.get("id", number)), row["text"]
    except FileNotFoundError:
        known = ", ".join(KNOWN)
        raise RequestError(
            f"there is no text file {path}: give a .txt or .jsonl file, hub:REPOSITORY, or one of "
            f"{known}."
        ) from None
