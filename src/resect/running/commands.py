"""The command that writes a version which a study judged, for card, page and summary.json."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from resect.errors import RequestError
from resect.findings.frame import Level
from resect.findings.rows import Command, Study, Summary
from resect.spec import Recipe


def commands(summary: Summary) -> tuple[Command, ...]:
    """A command for the last level claimed of every sweep, and for every version chosen."""
    rows: dict[tuple[str, str, int, Level], Command] = {}
    digests = {(m.model, m.recipe, m.seed, m.level): m.digest for m in summary.measurements}
    for version in _versions(summary):
        model, recipe, seed, level = version
        name = next((row.role for row in summary.models if row.name == model), "")
        text = _command(summary.study, name, recipe, seed, level)
        if text is not None:
            rows[version] = Command(
                model=model, recipe=recipe, seed=seed, level=level, command=text,
                digest=digests.get(version),
            )  # fmt: skip
    return tuple(rows.values())


def _versions(summary: Summary) -> Iterator[tuple[str, str, int, Level]]:
    for row in summary.verdicts:
        if row.default and row.passed:
            yield row.model, row.recipe, row.seed, row.passed_level
    for choice in summary.choice:
        if choice.chosen is not None:
            recipe, level = choice.chosen.recipe, choice.chosen.level
            for seed in sorted({m.seed for m in summary.measurements if m.recipe == recipe}):
                yield choice.model, recipe, seed, level


def _command(study: Study, role: str, recipe: str, seed: int, level: Level) -> str | None:
    """The words of the command; None for a recipe or a model that is not ours to make."""
    model = study.models.get(role)
    try:
        steps = Recipe.of(steps=recipe, levels=[] if level is None else [level]).at(level)
    except RequestError:
        return None
    if model is None or study.recorded is not None:
        return None
    words = ["resect", "compress", model.id]
    words += ["--revision", model.revision] if model.revision else []
    words += ["--dtype", model.dtype] if model.dtype not in (None, "auto") else []
    for step in steps:
        words += ["--step", str(step)]
    words += ["--seed", str(seed)] if seed else []
    text = study.calibration
    if text is not None:
        words += ["--calibration", text.data, "--nsamples", str(text.nsamples)]
        words += ["--seqlen", str(text.seqlen)]
        words += ["--calibration-seed", str(text.seed)] if text.seed != seed else []
    words += ["--data-dir", study.data_dir] if study.data_dir else []
    return shlex.join(map(str, words)) + " --out DIR"
