"""MMLU: single subjects, the medical ones, the logical ones, and those of the pruning study.

Hendrycks et al. 2021 (arXiv:2009.03300). Hub: cais/mmlu, one config a subject, splits test and dev.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, ClassVar

from resect.errors import RequestError, unknown
from resect.record import TaskInfo
from resect.tasks.contract import LabelTask, Source
from resect.tasks.prompts import letter_prompt, mmlu_prompt
from resect.tasks.question import Question, lettered
from resect.tasks.sources import Row, Rows

LABELS = tuple("ABCD")

_NAMES = """
    abstract_algebra anatomy astronomy business_ethics clinical_knowledge college_biology
    college_chemistry college_computer_science college_mathematics college_medicine college_physics
    computer_security conceptual_physics econometrics electrical_engineering
    elementary_mathematics formal_logic global_facts high_school_biology high_school_chemistry
    high_school_computer_science high_school_european_history high_school_geography
    high_school_government_and_politics high_school_macroeconomics high_school_mathematics
    high_school_microeconomics high_school_physics high_school_psychology high_school_statistics
    high_school_us_history high_school_world_history human_aging human_sexuality
    international_law jurisprudence logical_fallacies machine_learning management marketing
    medical_genetics miscellaneous moral_disputes moral_scenarios nutrition philosophy prehistory
    professional_accounting professional_law professional_medicine professional_psychology
    public_relations security_studies sociology us_foreign_policy virology
    world_religions
"""
SUBJECTS = tuple(_NAMES.split())
MEDICAL = (
    "anatomy", "clinical_knowledge", "college_biology", "college_medicine", "medical_genetics",
    "professional_medicine",
)  # fmt: skip
LOGIC = ("formal_logic", "logical_fallacies", "global_facts")
_MEDICAL = dict.fromkeys(MEDICAL, "medical")
_LOGIC = dict.fromkeys(LOGIC, "logic")
_LOBOTOMY = {**_LOGIC, "college_medicine": "medical", "clinical_knowledge": "medical"}


def _convert(row: Mapping[str, Any], number: int) -> Row:
    if not 0 <= row["answer"] < len(LABELS):
        raise RequestError(
            f"cais/mmlu: question {number} of {row['subject']} has answer {row['answer']}, not "
            "0 to 3: read the pinned revision."
        )
    return {**row, "options": list(row["choices"]), "answer": LABELS[row["answer"]]}


TEST = Rows(
    file="mmlu_test.jsonl.gz",
    fields={"subject": str, "question": str, "options": list, "answer": str},
    hub="cais/mmlu",
    split="test",
    revision="c30699e8356da336a370243923dbaf21066bb9fe",
    columns={"subject": str, "question": str, "choices": list, "answer": int},
    convert=_convert,
)
DEV = replace(TEST, file="mmlu_dev.jsonl.gz", split="dev")

_INFO = TaskInfo(
    name="mmlu:<subject>",
    kind="label",
    labels=LABELS,
    summary="one of MMLU's 57 subjects, like mmlu:anatomy, four options",
    protocol="test split of one subject, prompt of lm-evaluation-harness (its subject named first)",
    max_new_tokens=5,
    scored="letter",
    **TEST.origin,
)


class Subjects(LabelTask):
    """The test questions of some subjects, each with the dev rows of its own subject."""

    topics: Mapping[str, str]
    first: int | None = None
    pool_name = "the first dev rows of the question's subject"

    def questions(self, source: Source) -> Iterator[Question]:
        """Questions subject by subject."""
        rows = _by_subject(TEST, self.topics, source)
        for subject, topic in self.topics.items():
            for number, row in enumerate(rows[subject][: self.first]):
                yield _question(row, f"mmlu/{subject}/{number}", topic)

    def limited(self, questions: Iterable[Question], limit: int | None) -> Iterator[Question]:
        """`limit` is divided among the subjects, so that each is included."""
        parts: dict[str, list[Question]] = {}
        for question in questions:
            parts.setdefault(question.tags["subject"], []).append(question)
        share, more = (None, 0) if limit is None else divmod(limit, max(1, len(parts)))
        for number, asked in enumerate(parts.values()):
            yield from islice(asked, None if share is None else share + (number < more))

    def pool(self, question: Question, source: Source) -> Sequence[Question]:
        """The five dev rows of the question's subject, in their order."""
        if (DEV.file, source) not in self._pools:
            rows = _by_subject(DEV, self.topics, source)
            self._pools[DEV.file, source] = [
                _question(row, f"mmlu/{subject}/dev/{number}", "")
                for subject, subject_rows in rows.items()
                for number, row in enumerate(subject_rows)
            ]
        subject = question.tags["subject"]
        return [q for q in self._pools[DEV.file, source] if q.tags["subject"] == subject]

    def prompt(self, question: Question) -> str:
        """MMLU's own."""
        return mmlu_prompt(question.question, question.options or {})

    def description(self, question: Question) -> str:
        """MMLU's own, which names the subject."""
        subject = question.tags["subject"].replace("_", " ")
        return f"The following are multiple choice questions (with answers) about {subject}."


class Subject(Subjects):
    """One subject: `mmlu:anatomy`."""

    about: ClassVar = _INFO
    arguments: ClassVar = SUBJECTS

    def __init__(self, subject: str) -> None:
        super().__init__()
        if subject not in SUBJECTS:
            raise unknown("MMLU subject", subject, SUBJECTS)
        name = subject.replace("_", " ")
        self.topics = {subject: "medical" if subject in MEDICAL else "general"}
        self.info = replace(
            _INFO,
            name=f"mmlu:{subject}",
            summary=f"MMLU {name}, four options",
            protocol=_INFO.protocol.replace("one subject", name),
            domain="medical" if subject in MEDICAL else "general",
        )


class Medical(Subjects):
    """The six medical subjects."""

    topics = _MEDICAL
    info = replace(
        _INFO,
        name="mmlu-medical",
        summary="MMLU's six medical subjects, 1,089 four-option questions",
        protocol=f"test splits of {', '.join(MEDICAL)}, prompt of lm-evaluation-harness",
        domain="medical",
    )


class Logic(Subjects):
    """What the pruning study held against medicine."""

    topics = _LOGIC
    info = replace(
        _INFO,
        name="mmlu-logic",
        summary="MMLU's logic subjects and global facts, 389 four-option questions",
        protocol=f"test splits of {', '.join(LOGIC)}, prompt of lm-evaluation-harness",
        domain="general",
    )


class Lobotomy(Subjects):
    """Three logic and two medical subjects as the study asked them, at most 200 of each."""

    topics = _LOBOTOMY
    first = 200
    info = replace(
        _INFO,
        name="mmlu-lobotomy",
        summary="five MMLU subjects (logic and medicine), 762 four-option questions",
        protocol="test split of formal_logic, logical_fallacies, global_facts, college_medicine "
        "and clinical_knowledge, the first 200 of each, prompt of the pruning study",
    )

    def prompt(self, question: Question) -> str:
        """The study's: question, options, `Answer:`."""
        return letter_prompt(question.question, question.options or {})

    def description(self, question: Question) -> str:
        """None."""
        return ""


def _by_subject(rows: Rows, subjects: Iterable[str], source: Source) -> dict[str, list[Row]]:
    """The rows of each subject in their order; the hub has one config a subject."""
    by_subject: dict[str, list[Row]] = {subject: [] for subject in subjects}
    if source.data_dir is None:
        return {s: list(replace(rows, config=s).read(source)) for s in by_subject}
    for row in rows.read(source):
        if row["subject"] in by_subject:
            by_subject[row["subject"]].append(row)
    return by_subject


def _question(row: Row, name: str, topic: str) -> Question:
    if len(row["options"]) != len(LABELS):
        raise RequestError(
            f"question {name} has {len(row['options'])} options, not four: correct the data file."
        )
    tags = {"subject": row["subject"], "topic": topic}
    return lettered(name, row["question"], row["options"], row["answer"], tags)
