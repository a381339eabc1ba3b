"""What leaves with a compressed model: its card, its results for the hub, and a Modelfile."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from huggingface_hub import EvalResultEntry, ModelCardData, eval_result_entries_to_yaml

from resect import methods
from resect.errors import RequestError
from resect.findings.rows import CurvePoint, Measurement, Summary, SweepVerdict, TaskVerdict
from resect.findings.summary_file import to_data
from resect.record import LLAMA_CPP, TaskInfo
from resect.report import formatting as text
from resect.report.card import LIMITS
from resect.report.formatting import markdown
from resect.spec import ModelRef, Recipe, Study


class Version(NamedTuple):
    """One version of one model of a run: a recipe of its study at one of its levels."""

    ref: ModelRef
    model: str
    recipe: Recipe
    level: float | None

    @property
    def steps(self) -> Recipe:
        """What makes it, every level fixed."""
        return Recipe(steps=self.recipe.at(self.level), seed=self.recipe.seed)


class Origin(NamedTuple):
    """What a source says of itself: its id on the hub where it has one, its parent, its license."""

    id: str | None
    license: str | None
    parent: str | None


def version_of(study: Study, summary: Summary, asked: str | None) -> Version:
    """The version called `asked`, like `gguf:Q4_K_M`; without a name the one that was chosen.

    Raises `RequestError` where the run has none such.
    """
    versions = list(_versions(study, summary))
    if asked is not None:
        wanted = Recipe.of(steps=asked).name
        same = [version for version in versions if version.steps.name == wanted]
        if not same:
            names = ", ".join(dict.fromkeys(version.steps.name for version in versions))
            raise RequestError(f"the run has no version {wanted}: it has {names or 'none'}.")
        return same[0]
    for row in summary.choice:
        for version in versions:
            chosen = row.chosen
            if chosen is None or row.model != version.model:
                continue
            if (chosen.recipe, chosen.level) == (version.recipe.name, version.level):
                return version
    raise RequestError("no version of this run passed: name one with --version, like gguf:Q4_K_M.")


def _versions(study: Study, summary: Summary) -> Iterator[Version]:
    names = {model.role: model.name for model in summary.models}
    for role, ref in study.models.items():
        for recipe in study.recipes:
            for level in recipe.levels or (None,):
                if recipe.applies_to(role) and level != 0 and role in names:
                    yield Version(ref, names[role], recipe, level)


def origin_of(ref: ModelRef, card: Mapping[str, Any]) -> Origin:
    """Of a model by its id and the front matter of its card."""
    is_hub = not Path(ref.id).expanduser().exists() and ref.id.count("/") == 1
    parents = card.get("base_model")
    parent = next(iter(parents), None) if isinstance(parents, list) else parents
    terms = card.get("license")
    own = ref.id if is_hub else None
    return Origin(own, str(terms) if terms else None, str(parent) if parent else None)


def write(
    folder: Path, version: Version, summary: Summary, tasks: Mapping[str, TaskInfo], origin: Origin
) -> list[Path]:
    """Write README.md, resect.json (added to) and `.eval_results/` into a folder; the files."""
    readme = folder / "README.md"
    readme.write_text(card(version, summary, origin), encoding="utf-8")
    made = folder / "resect.json"
    done = json.loads(made.read_text(encoding="utf-8")) if made.is_file() else {}
    done |= {"version": version.steps.name, **_evidence(version, summary)}
    made.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
    files = [readme, made]
    entries = results(version, summary, tasks)
    if entries:
        place = folder / ".eval_results"
        place.mkdir(exist_ok=True)
        path = place / "resect.yaml"
        told = eval_result_entries_to_yaml(entries)
        path.write_text(yaml.safe_dump(told, sort_keys=False), encoding="utf-8")
        files.append(path)
    return files


def results(
    version: Version, summary: Summary, tasks: Mapping[str, TaskInfo]
) -> list[EvalResultEntry]:
    """A result for every task that has a dataset on the hub; how sure it is stands in the notes."""
    entries = []
    started = summary.provenance.get("started")
    for row in _points(version, summary):
        info = tasks.get(row.task)
        if info is None or info.hub is None or row.accuracy is None:
            continue
        low, high = text.percent(row.accuracy_low), text.percent(row.accuracy_high)
        entries.append(
            EvalResultEntry(
                dataset_id=info.hub,
                task_id=info.name,
                value=round(100 * row.accuracy, 2),
                dataset_revision=info.revision,
                date=None if started is None else str(started),
                notes=f"accuracy, {row.n} items, 95 % interval {low} to {high}, by {row.view}, "
                f"asked in {row.runtime}; {info.protocol}",
            )
        )
    return entries


# ── the card ────────────────────────────────────────────────────────────────────────────────────


def card(version: Version, summary: Summary, origin: Origin) -> str:
    """README.md: front matter, the verdict with its limits, then what was measured."""
    source, is_file = origin.id or origin.parent, version.recipe.runtime == LLAMA_CPP
    start = version.recipe.serve("DIR")
    relation: dict[str, Any] = {"base_model_relation": "quantized"} if source and start else {}
    data = ModelCardData(
        base_model=source,
        license=origin.license,
        library_name="gguf" if is_file else "transformers",
        tags=["resect", *(["gguf"] if is_file else [])],
        **relation,
    )
    parts = [
        f"---\n{data.to_yaml()}\n---",
        f"# {markdown(version.model)}, {markdown(version.steps.name)}",
        f"**{markdown(_verdict(version, summary))}**",
        "\n>\n".join(f"> {markdown(line)}" for line in LIMITS),
        "## On each task",
        _grid(_TASK, [_task(row, version, summary) for row in _points(version, summary)]),
        "## Size",
        _grid(_SIZE, [_size(row) for row in summary.measurements if _is_of(row, version)]),
        *_how_to_start(version, summary),
        "## How it was made",
        f"`{_command(version, summary)}`",
        "\n".join(_asked(summary)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _command(version: Version, summary: Summary) -> str:
    """What makes the same version again, with every option that changes it."""
    words = ["resect", "compress", version.ref.id]
    words += [word for step in version.steps.steps for word in ("--step", str(step))]
    if version.ref.revision:
        words += ["--revision", version.ref.revision]
    seed, text = version.steps.seed or 0, summary.study.calibration
    if seed:
        words += ["--seed", str(seed)]
    if text is not None and any(methods.make(step).calibrated for step in version.steps.steps):
        words += ["--calibration", text.data, "--nsamples", str(text.nsamples)]
        words += ["--seqlen", str(text.seqlen)]
        if text.seed != seed:
            words += ["--calibration-seed", str(text.seed)]
    return shlex.join([*words, "--out", "DIR"])


def _how_to_start(version: Version, summary: Summary) -> list[str]:
    """The command that serves a folder, with what was not tested there."""
    if version.recipe.runtime == LLAMA_CPP:  # its Modelfile lies beside it
        return []
    start = version.recipe.serve("DIR")
    tasks = ",".join(task.name for task in summary.tasks)
    return ["## How to start it", f"`{start}`; {checked_there(tasks)}."] if start else []


def checked_there(tasks: str) -> str:
    """What stands beside the start of a version that was asked elsewhere than it is served."""
    check = f"resect eval --base-url http://127.0.0.1:8000 --task {tasks}"
    return f"asked in transformers, check it in vLLM: {check}"


def _verdict(version: Version, summary: Summary) -> str:
    """`Passed on all 3 tasks: ...`, or why not."""
    row = _sweep(version, summary)
    if row is None:
        return "Not tested against the intact model: nothing is claimed."
    margins = ", ".join(f"{task} {100 * margin:g}" for task, margin in row.margins.items())
    where = f"in {row.runtime}, one-sided alpha {row.alpha:g}, margins in points: {margins}"
    if version.level in row.passed:
        return f"Within its margin of the intact model on all tasks of this run ({where})."
    level = next((judged for judged in row.levels if judged.level == version.level), None)
    word = "not tested" if level is None else str(level.word)
    return f"Not shown to be within its margin of the intact model: {word} ({where})."


_TASK = ("Task", "Items", "Intact", "This version", "Change in points", "Verdict", "Flips", "KL")
_SIZE = ("Parameters", "On disk", "Bits per weight", "Of the intact model")


def _task(row: CurvePoint, version: Version, summary: Summary) -> tuple[str, ...]:
    sweep = _sweep(version, summary)
    tests: Sequence[TaskVerdict] = sweep.tasks if sweep else ()
    test = next((t for t in tests if (t.task, t.level) == (row.task, version.level)), None)
    return (
        row.task,
        text.count(row.n),
        text.DASH if test is None else text.decimal(test.intact),
        text.DASH if test is None else text.decimal(test.value),
        text.DASH if test is None else text.change(test.change, test.low, test.high),
        "shown only" if test is None else str(test.word),
        text.percent(row.flips),
        text.DASH if row.kl is None else f"{row.kl.answer.mean:.2g}",
    )


def _size(row: Measurement) -> tuple[str, ...]:
    ratio = row.ratios.get("bytes_on_disk")
    return (
        text.parameters(row.parameters),
        text.size(row.bytes_on_disk),
        text.decimal(row.bits_per_weight),
        text.percent(ratio),
    )


def _asked(summary: Summary) -> Iterator[str]:
    for task in summary.tasks:
        yield f"- **{markdown(task.name)}** ({task.n} items): {markdown(task.protocol)}"
    for name, server in (summary.provenance.get("runtimes") or {}).items():
        told = ", ".join(f"{key} {value}" for key, value in server.items() if value is not None)
        yield f"- {markdown(str(name))}: {markdown(told)}"


def _grid(heads: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(map(markdown, row)) + " |" for row in body)])


# ── the rows of one version ─────────────────────────────────────────────────────────────────────


def _is_of(row: CurvePoint | Measurement | SweepVerdict, version: Version) -> bool:
    same = (row.model, row.recipe) == (version.model, version.recipe.name)
    return same and (isinstance(row, SweepVerdict) or row.level == version.level)


def _points(version: Version, summary: Summary) -> list[CurvePoint]:
    """Its rows, by text where there is a text."""
    rows = [row for row in summary.curves if _is_of(row, version)]
    texts = {row.task for row in rows if row.view == "text"}
    return [row for row in rows if row.view == "text" or row.task not in texts]


def _sweep(version: Version, summary: Summary) -> SweepVerdict | None:
    return next((r for r in summary.verdicts if r.default and _is_of(r, version)), None)


def _evidence(version: Version, summary: Summary) -> dict[str, Any]:
    """What resect.json says of how it was tested."""
    data = to_data(summary)
    sweep = next(
        (
            row
            for row, data_of in zip(summary.verdicts, data["verdicts"], strict=True)
            if row.default and _is_of(row, version)
        ),
        None,
    )
    told = None if sweep is None else data["verdicts"][summary.verdicts.index(sweep)]
    return {
        "verdict": told,
        "measured": [
            data["measurements"][number]
            for number, row in enumerate(summary.measurements)
            if _is_of(row, version)
        ],
        "provenance": data["provenance"],
    }
