"""What every reader of recorded answers returns: one `Recorded` row an answer, and the study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter
from pydantic_core import from_json

from resect.record import Stopped, TaskInfo
from resect.recorded.boundary import MOST_LABELS


def _decoded(value: Any) -> Any:
    """A list or an object, which a cell of CSV holds as JSON."""
    if not isinstance(value, str) or not value.startswith(("[", "{")):
        return value
    try:
        return from_json(value)
    except ValueError as error:
        raise ValueError(f"cannot be read as JSON ({error})") from None


def _listed(value: Any) -> Any:
    """A list, which a cell of CSV may also hold as words joined by `|`."""
    value = _decoded(value)
    return value.split("|") if isinstance(value, str) else value


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("should be a number")
    return value


Number = Annotated[float, BeforeValidator(_no_bool)]
"""A float, which may be NaN or infinite; true and false are no numbers."""

Finite = Annotated[Number, Field(allow_inf_nan=False)]
Level = Annotated[Finite, Field(ge=0)]
Words = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(max_length=MOST_LABELS)]
Scores = Annotated[tuple[Number, ...], BeforeValidator(_listed), Field(max_length=MOST_LABELS)]
Texts = Annotated[
    Mapping[str, str], BeforeValidator(_decoded), Field(max_length=MOST_LABELS)
]  # fmt: skip
Tags = Annotated[Mapping[str, Annotated[str, BeforeValidator(str)]], BeforeValidator(_decoded)]
Name = Annotated[str, Field(max_length=1000)]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One answer as somebody else recorded it.

    `role` is None where the data does not say it, `level` a fraction removed (bits for
    quantizers) or None where nothing was swept. `text` is None where no text was recorded,
    `option_scores[i]` the log-likelihood of `choices[i]`, which stands for `labels[i]`.
    `recorded` is how the recording study itself read the text, None where unknown; `score` its
    own 0 or 1, used only where a task has no labels; `scored` says what the options view scores
    (`TaskInfo.scored`). `stopped` is why the text ended (`RawAnswer.stopped`). `means`, `parent`,
    `variant` and `context` are the item's. `source` names the file.
    """

    __pydantic_config__ = ConfigDict(coerce_numbers_to_str=True)
    model: Name
    task: Name
    item: str
    gold: str
    role: Name | None = None
    recipe: Name = "none"
    level: Level | None = None
    text: str | None = None
    options: Texts | None = None
    labels: Words = ()
    option_scores: Scores | None = None
    choices: Words = ()
    recorded: str | None = None
    tags: Tags = field(default_factory=dict)
    prompt: str = ""
    question: str = ""
    score: Finite | None = None
    scored: Literal["letter", "text", "text-normalised"] | None = None
    means: Texts = field(default_factory=dict)
    parent: str | None = None
    variant: str | None = None
    context: str = ""
    stopped: Stopped = None
    source: str = ""


ROW = TypeAdapter(Recorded)
"""Makes a `Recorded` row of plain data, which may be of any shape."""


@dataclass(frozen=True)
class RecordedStudy:
    """Everything that a reader read below one path.

    `sources` maps each file to the SHA-256 of its content. `tasks` describes the tasks a format
    knows; others are described from their rows. `ids` maps model names to hub ids or folders.
    `stated` are scores that the recording tool wrote itself, each beside the same score computed
    from the rows. `notes` are warnings, one sentence each.
    """

    rows: list[Recorded]
    sources: Mapping[str, str]
    tasks: Mapping[str, TaskInfo] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)
    stated: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
