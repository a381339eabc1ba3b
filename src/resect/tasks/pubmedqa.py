"""PubMedQA, the labelled thousand, asked as the published pruning study asked it.

Jin et al. 2019 (arXiv:1909.06146), PQA-L. Hub: qiaojin/PubMedQA, config pqa_labeled.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from resect.prompts import context_prompt
from resect.record import Item, TaskInfo
from resect.tasks import hub, offline
from resect.tasks.base import LabelTask, Source

_LABELS = ("yes", "no", "maybe")


class PubMedQA(LabelTask):
    """Yes, no or maybe to a question, given the abstract without its conclusion."""

    info = TaskInfo(
        name="pubmedqa",
        kind="label",
        labels=_LABELS,
        summary="yes/no/maybe over an abstract, 1,000 expert-labelled questions",
        protocol="all 1,000 labelled questions (PQA-L), zero-shot, contexts joined without a "
        "heading, at most 10 greedy tokens; options view: log-likelihood of yes, no, maybe",
        max_new_tokens=10,
        scored="text",
        positive="yes",
    )
    hub_id, config, split = "qiaojin/PubMedQA", "pqa_labeled", "train"
    file = "pubmedqa_pqal.jsonl.gz"

    def items(self, source: Source) -> list[Item]:
        """The first `limit` questions in the order of the release."""
        rows = self._offline(source) if source.data_dir else self._hub()
        return [self._item(*row) for row in _first(rows, source.limit)]

    def _offline(self, source: Source) -> Iterator[tuple[str, str, list[str], str, dict[str, str]]]:
        fields: offline.Kinds = {
            "id": (str, int),
            "question": str,
            "contexts": list,
            "final_decision": str,
        }
        for row in offline.rows(source.data_dir, self.file, fields):
            tags = {"year": str(row.get("year", ""))}
            yield str(row["id"]), row["question"], row["contexts"], row["final_decision"], tags

    def _hub(self) -> Iterator[tuple[str, str, list[str], str, dict[str, str]]]:
        for row in hub.rows(self.hub_id, self.config, self.split):
            contexts = row["context"]["contexts"]
            yield str(row["pubid"]), row["question"], contexts, row["final_decision"], {}

    def _item(
        self, name: str, question: str, contexts: list[str], gold: str, tags: dict[str, str]
    ) -> Item:
        return Item(
            id=f"pubmedqa/{name}",
            prompt=context_prompt("".join(contexts), question, _LABELS),
            gold=gold,
            labels=_LABELS,
            choices=tuple(f" {label}" for label in _LABELS),
            question=question,
            tags=tags,
        )


def _first(rows: Iterator[Any], limit: int | None) -> Iterator[Any]:
    for number, row in enumerate(rows):
        if limit is not None and number >= limit:
            return
        yield row
