"""Entity extraction by generation: the diseases, or chemicals and diseases, of one sentence.

NCBI-disease (Dogan, Leaman and Lu 2014) and BC5CDR (Li et al. 2016), sentence by sentence as
tokenised by Crichton et al. 2017. Offline files only: the hub has no plain table of either.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from typing import ClassVar

from resect.record import TaskInfo
from resect.tasks.contract import QuestionTask, Source
from resect.tasks.question import Question
from resect.tasks.readers import Spans
from resect.tasks.sources import Row, Rows

_FIELDS = {"id": str, "split": str, "tokens": list, "entities": list}
_PROTOCOL = (
    "sentences of the test split, blanks between tokens as in the source, one line a type with its "
    "mentions word for word and | between them, or none; distinct mentions, compared without "
    "blanks and case, micro F1 over sentences, strict (whole mention) and partial (half for an "
    "overlap)"
)


class _Extraction(QuestionTask):
    """A list of mentions for each type; a reading is JSON pairs of type and mention."""

    rows: ClassVar[Rows]
    reader: Spans
    num_fewshot = 4
    pool_name = "sentences of the train split drawn by seed, every fourth without a mention"

    def questions(self, source: Source) -> Iterator[Question]:
        """The test sentences in the order of the release."""
        return (self._question(row) for row in self.rows.read(source) if row["split"] == "test")

    def pool(self, question: Question, source: Source) -> Sequence[Question]:
        """Three train sentences with mentions, one without, and so on."""

        def train() -> Iterator[Question]:
            return (self._question(r) for r in self.rows.read(source) if r["split"] == "train")

        if ("in turn", source) not in self._pools:
            drawn = self.shuffled("train", source, train)
            mentioning, bare = (
                [q for q in drawn if (q.gold != "[]") == with_mentions]
                for with_mentions in (True, False)
            )
            turns = zip_longest(mentioning[0::3], mentioning[1::3], mentioning[2::3], bare)
            examples = [q for q in chain.from_iterable(turns) if q is not None]
            self._pools["in turn", source] = examples
        return self._pools["in turn", source]

    def description(self, question: Question) -> str:
        """What is asked for."""
        named = " and every ".join(kind.lower() for kind in self.reader.headings.values())
        return f"List every {named} that the sentence names, word for word, with | between them."

    def prompt(self, question: Question) -> str:
        """The sentence, then the heading of the first list."""
        return f"Sentence: {question.context}\n{next(iter(self.reader.headings))}:"

    def _question(self, row: Row) -> Question:
        entities = list(dict.fromkeys((e["type"], e["text"]) for e in row["entities"]))
        lines = []
        for heading, kind in self.reader.headings.items():
            mentions = [mention for type_, mention in entities if type_ == kind]
            lines.append(f"{heading}: {' | '.join(mentions) or 'none'}")
        shown = "\n".join(lines).removeprefix(f"{next(iter(self.reader.headings))}: ")
        return Question(
            id=f"{self.info.name}/{row['id'].rpartition('-')[2]}",
            question="",
            context=" ".join(row["tokens"]),
            gold=json.dumps(entities, ensure_ascii=False),
            shown=shown,
            tags={"mentions": str(min(len(entities), 4)) + "+" * (len(entities) >= 4)},
        )


class NCBIDisease(_Extraction):
    """Diseases."""

    reader = Spans(("Disease",))
    rows: ClassVar = Rows(file="ner_ncbi_disease.jsonl.gz", fields=_FIELDS)
    info = TaskInfo(
        name="ncbi-disease",
        kind="spans",
        domain="medical",
        labels=reader.labels,
        summary="the diseases that a sentence names, 940 sentences",
        protocol=f"NCBI-disease, the 940 {_PROTOCOL}",
        max_new_tokens=64,
        stop=("\n\n", "\nSentence:"),
        primary="strict_f1",
        file=rows.file,
    )


class BC5CDR(_Extraction):
    """Chemicals and diseases."""

    reader = Spans(("Chemical", "Disease"))
    rows: ClassVar = Rows(file="ner_bc5cdr.jsonl.gz", fields=_FIELDS)
    info = TaskInfo(
        name="bc5cdr",
        kind="spans",
        domain="medical",
        labels=reader.labels,
        summary="the chemicals and diseases that a sentence names, 4,797 sentences",
        protocol=f"BC5CDR, the 4,797 {_PROTOCOL}",
        max_new_tokens=128,
        stop=("\n\n", "\nSentence:"),
        primary="strict_f1",
        file=rows.file,
    )
