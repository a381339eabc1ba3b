"""What every reader of recorded answers gives: one `Recorded` row an answer, and what it found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from resect.record import Stopped, TaskInfo


@dataclass(frozen=True, slots=True)
class Recorded:
    """One answer as somebody else recorded it.

    `role` is None where the data does not say it, `level` a fraction removed (bits for
    quantizers) or None where nothing was swept. `text` is None where no text was recorded,
    `option_scores[i]` the log-likelihood of `choices[i]`, which stands for `labels[i]`.
    `recorded` is how the recording study itself read the text, None where unknown; `score` its
    own 0 or 1, used only where a task has no labels; `scored` says what the options view scores
    (`TaskInfo.scored`). `stopped` is why the text
    ended (`RawAnswer.stopped`). `means`, `parent`, `variant` and `context` are the item's. `source`
    names the file.
    """

    model: str
    role: str | None
    recipe: str
    level: float | None
    task: str
    item: str
    gold: str
    text: str | None
    options: Mapping[str, str] | None = None
    labels: tuple[str, ...] = ()
    option_scores: tuple[float, ...] | None = None
    choices: tuple[str, ...] = ()
    recorded: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    prompt: str = ""
    question: str = ""
    score: float | None = None
    scored: str | None = None
    means: Mapping[str, str] = field(default_factory=dict)
    parent: str | None = None
    variant: str | None = None
    context: str = ""
    stopped: Stopped = None
    source: str = ""


@dataclass(frozen=True)
class Found:
    """Everything a reader found below one path.

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
