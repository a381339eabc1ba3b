"""The files of lm-evaluation-harness as typed values: one line of samples, and a results file."""

from __future__ import annotations

import ast
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from resect.errors import RequestError
from resect.record import TaskInfo
from resect.recorded import boundary
from resect.recorded.describe import exported
from resect.recorded.files import File
from resect.recorded.row import Level, Name, Number

LONGEST_TARGET = 10_000
"""Characters of a target that is parsed to see whether it is a list of answers."""


def _object(value: Any) -> Any:
    """An object; lm-eval leaves some of them out, or writes null, a list or a text."""
    return value if isinstance(value, dict) else {}


def _or_empty(value: Any) -> Any:
    return value or {}


def _requests(value: Any) -> Any:
    """(context, continuation) of each request, from both layouts that lm-eval has used."""
    if not isinstance(value, dict):
        return value
    return [
        (part.get("arg_0"), part.get("arg_1")) if isinstance(part, dict) else part
        for part in value.values()
    ]


class Foreign(BaseModel):
    """Part of a file: what no field names is passed over."""

    model_config = ConfigDict(coerce_numbers_to_str=True, frozen=True)


class Sample(Foreign):
    """One document under one filter; scores by the name of their metric are beside the fields."""

    model_config = ConfigDict(extra="allow")
    doc_id: int | str
    doc: Annotated[dict[str, Any], BeforeValidator(_object)]
    target: Any
    arguments: Annotated[
        list[tuple[str, Any]], BeforeValidator(_requests), Field(min_length=1)
    ]  # fmt: skip
    resps: Annotated[
        list[Annotated[list[tuple[Number, Any] | str], Field(min_length=1)]], Field(min_length=1)
    ]
    filtered_resps: Any = None
    filter: str | None = None
    metrics: list[str] | None = None

    @property
    def prompt(self) -> str:
        """The context of the first request."""
        return self.arguments[0][0]

    @property
    def question(self) -> str:
        """The question, where the document has one under that name."""
        return str(self.doc.get("question", ""))

    def score(self, metric: str) -> bool | None:
        """The document's own score by a metric, None where it is not 0 or 1."""
        value = (self.model_extra or {}).get(metric)
        return bool(value) if value in (0, 1) else None

    @property
    def is_scored(self) -> bool:
        """Whether the answers are log-likelihoods of choices."""
        return isinstance(self.resps[0][0], tuple)

    @property
    def has_several_targets(self) -> bool:
        """Whether the target is a list of answers, as JSON or as text of Python."""
        target = self.target
        if isinstance(target, str) and target.strip().startswith("["):
            if len(target) > LONGEST_TARGET:
                return target.strip().endswith("]")
            try:
                return isinstance(ast.literal_eval(target.strip()), list)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                return False
        return isinstance(target, list)


class Subject(NamedTuple):
    """Who answered, and the words that this was inferred from ("" where it was said)."""

    model: Name
    id: Name
    role: Name | None
    recipe: Name
    level: Level | None
    inferred: str = ""

    def fields(self) -> dict[str, Any]:
        """The fields of a `Recorded` row that this fills."""
        return {name: getattr(self, name) for name in ("model", "role", "recipe", "level")}


class TaskConfig(Foreign):
    """How a task was asked."""

    target_delimiter: str = " "
    metadata: Annotated[dict[str, Any], BeforeValidator(_object)] = {}

    def exported(self, source: str) -> TaskInfo | None:
        """What the task is, where resect wrote the file; `source` names the file."""
        extra = self.metadata.get("resect")
        return exported(extra.get("info"), source) if isinstance(extra, dict) else None


class Config(Foreign):
    """How the model was loaded: `model_args` as lm-eval writes them, or what resect wrote."""

    model_args: dict[str, Any] | Annotated[str, Field(max_length=LONGEST_TARGET)] | None = None
    resect: Any = None


class Results(Foreign):
    """A results file, as far as it is read."""

    config: Annotated[Config, BeforeValidator(_or_empty)] = Config()
    configs: Annotated[
        dict[str, Annotated[TaskConfig, BeforeValidator(_or_empty)]], BeforeValidator(_or_empty)
    ] = {}
    results: Annotated[
        dict[str, Annotated[dict[str, Any], BeforeValidator(_object)]], BeforeValidator(_or_empty)
    ] = {}
    model_name: Name | None = None


_SAMPLE, _RESULTS, _SUBJECT = TypeAdapter(Sample), TypeAdapter(Results), TypeAdapter(Subject)


def results(file: File) -> Results:
    """What a results file says."""
    return boundary.document(file, _RESULTS)


def samples(file: File) -> list[Sample]:
    """The documents of a sample file, each once: lm-eval writes a line a document and filter."""
    documents: dict[int | str, Sample] = {}
    for where, row in boundary.lines(file):
        sample = boundary.value(_SAMPLE, row, where)
        if str(sample.target).strip() in ("", "None", "[]"):
            raise RequestError(f"{where} has no gold answer (target): add it.")
        first = documents.setdefault(sample.doc_id, sample)
        if first is not sample and first.filter == sample.filter:
            raise RequestError(f"{where}: document {sample.doc_id} stands in the file twice.")
    if not documents:
        raise RequestError(f"{file.name} has no rows: leave the file out, or record it again.")
    return list(documents.values())


def subject(config: Config, name: str) -> Subject:
    """Who the sample file `name` speaks of, where resect wrote it."""
    return boundary.value(_SUBJECT, config.resect, f"the results file of {name}")
