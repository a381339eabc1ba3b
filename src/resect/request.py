"""Options of `resect run` to a study: a YAML file, overridden by what was given beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from resect.errors import RequestError
from resect.spec import Study
from resect.spec import levels as read_levels

_DEFAULT_LEVELS = "0:0.95:0.05"


def study(
    path: Path | None,
    *,
    models: Mapping[str, str | None],
    methods: Sequence[str] | None,
    levels: str | None,
    tasks: Sequence[str] | None,
    dtype: str | None,
    trust_remote_code: bool,
    fields: Mapping[str, Any],
) -> Study:
    """The study asked for. What is None was not given; a mistake is one `RequestError`."""
    asked: dict[str, Any] = (
        Study.load(path).model_dump() if path else {"name": "study", "models": {}}
    )
    given = {role: {"id": ref} for role, ref in models.items() if ref is not None}
    asked["models"] = {**asked["models"], **given}
    if not asked["models"]:
        raise RequestError("no model is named: give a study file, or --specialist and --base.")
    for ref in asked["models"].values():
        if dtype is not None:
            ref["dtype"] = dtype
        ref["trust_remote_code"] = ref.get("trust_remote_code", False) or trust_remote_code
    if methods or not path:
        asked["treatments"] = list(methods or ["magnitude"])
        asked["levels"] = levels or _DEFAULT_LEVELS
    elif levels:
        found = read_levels(levels)
        asked["treatments"] = [
            {**t, "levels": found} if t["levels"] else t for t in asked["treatments"]
        ]
    if tasks:
        asked["tasks"] = [name for part in tasks for name in part.split(",")]
    if not asked.get("tasks"):
        raise RequestError("no task is named: give --task, `resect tasks` lists them.")
    asked.update({name: value for name, value in fields.items() if value is not None})
    return Study.of(**asked)
