"""Tasks and items from recorded rows: labels that no file gives, equal questions as one cluster."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from pydantic import TypeAdapter

from resect.errors import RequestError
from resect.record import Item, TaskInfo
from resect.recorded.boundary import MOST_LABELS
from resect.recorded.row import Recorded
from resect.tasks import readers

Scoring = Literal["letter", "text", "text-normalised"]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SHORT_LIST, LONGEST_LABEL = 10, 20
"""Gold answers are labels where there are so few of them, each so short."""

_EXPORTED = TypeAdapter(TaskInfo)
_FIELDS = {field.name for field in dataclasses.fields(TaskInfo)}

# "C", "C. ...", "(D)" at the start of a line, and "answer: C"
_SHOWN = re.compile(r"(?:^[ \t]*|\banswer(?: is)?:? )\(?[CD](?=[.):,]|[ \t]*$)", re.MULTILINE)


def infos(rows: Sequence[Recorded], known: Mapping[str, TaskInfo]) -> dict[str, TaskInfo]:
    """What each task is, in the order of the rows: as its format knows it, else from the rows of
    its own questions. A variant may have labels that they have not.
    """
    by_task: dict[str, list[Recorded]] = defaultdict(list)
    for row in rows:
        if row.variant is None:
            by_task[row.task].append(row)
    tasks = {task: known.get(task) or _info(task, own) for task, own in by_task.items()}
    for task, info in tasks.items():
        if len(info.labels) > MOST_LABELS:
            raise RequestError(
                f"{by_task[task][0].source}: the items of {task} have {len(info.labels)} different "
                f"labels, and at most {MOST_LABELS} can be compared: give the options of each "
                "question the same labels, like A to D, and their texts as options."
            )
    return tasks


def _info(task: str, rows: Sequence[Recorded]) -> TaskInfo:
    labels = _labels(rows)
    letters = bool(labels) and all(len(label) == 1 for label in labels)
    scored = any(row.option_scores is not None for row in rows)
    usual: Scoring = "letter" if letters and not any(row.options for row in rows) else "text"
    return TaskInfo(
        name=task,
        kind="label" if labels else "text",
        labels=labels,
        summary=f"{len({row.item for row in rows})} recorded questions",
        protocol="as recorded; prompt, few-shots and decoding are those of the recording"
        + ("; options view: recorded log-likelihoods" if scored else ""),
        max_new_tokens=0,
        scored=next((row.scored for row in rows if row.scored), usual),
        positive="yes" if "yes" in labels else None,
        reader="label" if labels else None,
    )


def _labels(rows: Sequence[Recorded]) -> tuple[str, ...]:
    """The labels that the rows give and what they mean, else those that the gold answers are."""
    given = [label for row in rows for label in row.labels]
    given += [meaning for row in rows for meaning in row.means.values()]
    return tuple(dict.fromkeys(given)) or labels_of({row.item: row.gold for row in rows}, rows)


def exported(fields: Any, source: str) -> TaskInfo:
    """What a task is, as `resect export` wrote it. Raises `RequestError`."""
    try:
        info = _EXPORTED.validate_python(fields)
        if set(fields) - _FIELDS:
            raise ValueError("a field that is not known")
    except ValueError:  # pydantic's is one
        raise RequestError(
            f"{source} does not describe its task as resect writes it: export it again."
        ) from None
    if info.reader is not None and not readers.fits(info.reader, info):
        raise RequestError(
            f"{source}: {info.name} is a {info.kind} task read by {info.reader!r}, and this resect "
            "has no such reader for it: update resect, or leave the reader out."
        )
    return info


def labels_of(gold: Mapping[str, str], rows: Sequence[Recorded] = ()) -> tuple[str, ...]:
    """The labels of a task, judged by the gold answers of its items; () where no fixed set.

    Letters go up to the last gold one, or to D where a text or an option shows C or D.
    """
    seen = set(gold.values())
    if all(len(target) == 1 and target in LETTERS for target in seen):
        last = LETTERS.index(max(seen)) + 1
        return tuple(LETTERS[: 4 if last < 4 and any(map(_shows, rows)) else max(last, 2)])
    few = 2 <= len(seen) <= SHORT_LIST and len(gold) >= 2 * len(seen)
    if few and all(t.isalpha() and len(t) <= LONGEST_LABEL for t in seen):
        usual = [word for word in ("yes", "no", "maybe") if word in seen]
        return (*usual, *sorted(seen - set(usual)))
    return ()


def _shows(row: Recorded) -> bool:
    """Whether a row speaks of an option C or D."""
    if row.recorded in ("C", "D") or any(label in (row.options or ()) for label in "CD"):
        return True
    return any(_SHOWN.search(text) for text in (row.text or "", row.prompt, row.question))


def items(
    rows: Sequence[Recorded], tasks: Mapping[str, TaskInfo]
) -> tuple[dict[str, dict[str, Item]], list[str]]:
    """The items of each task by name, and a note where questions stand in a task twice."""
    asked: dict[str, dict[str, Item]] = {task: {} for task in tasks}
    prompts: Counter[str] = Counter()
    for row in rows:
        known = asked[row.task].get(row.item)
        if known is None:
            asked[row.task][row.item] = _item(row, tasks[row.task])
        elif known.gold != row.gold:
            raise RequestError(
                f"{row.source}: item {row.item} of {row.task} has gold {row.gold!r}, elsewhere "
                f"{known.gold!r}: the files do not ask the same questions."
            )
        elif row.prompt and known.prompt != row.prompt:
            prompts[row.task] += 1
    notes = [
        f"{task}: {count} answers were given to another wording of the prompt than the first one "
        "recorded; they are paired by item."
        for task, count in prompts.items()
    ]
    for task, own in asked.items():
        asked[task], note = _clustered(task, own)
        notes += note
    return asked, notes


def _item(row: Recorded, info: TaskInfo) -> Item:
    shared = (
        "prompt", "gold", "choices", "options", "question", "parent", "variant", "context"
    )  # fmt: skip
    return Item(
        id=row.item,
        labels=row.labels or info.labels,
        tags=dict(row.tags),
        means=dict(row.means),
        **{name: getattr(row, name) for name in shared},
    )


def _clustered(task: str, asked: dict[str, Item]) -> tuple[dict[str, Item], list[str]]:
    """Items with the first of their equals as `parent`, and a note where there are equals.

    Equal are prompt and options. A parent that the data names stays.
    """
    first: dict[str, str] = {}
    clustered = dict(asked)
    for name, item in asked.items():
        content = json.dumps([item.prompt, dict(item.options or {})], ensure_ascii=False)
        parent = first.setdefault(content, name) if item.prompt else name
        if parent != name and item.parent is None:
            clustered[name] = replace(item, parent=parent)
    twins = [item for name, item in clustered.items() if item.parent != asked[name].parent]
    if not twins:
        return clustered, []
    other = sum(item.gold != clustered[str(item.parent)].gold for item in twins)
    golds = f"({other} of them with another gold answer)" if other else "with the same gold answer"
    return clustered, [
        f"{task}: {len(twins)} questions repeat an earlier one word for word {golds}; repeats are "
        "resampled together with it, so they do not count twice."
    ]
