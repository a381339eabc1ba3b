"""`resect choose`: the smallest version of a model that passes, as a file.

A ladder of versions is asked in an ordinary run folder, the smallest first (`Study.choose`); the
one that passed is then written into it, with its papers.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from resect.deploy.footprint import LARGEST_BATCH, Footprint
from resect.errors import RequestError, unknown
from resect.findings.rows import Candidate as Tested
from resect.findings.rows import Choice as ChoiceRow
from resect.models import loading
from resect.narrative.choice_sentences import answer_lines
from resect.narrative.phrasing import size
from resect.record import LLAMA_CPP, VLLM
from resect.running import hub_upload, ladder, papers, study_run
from resect.running.folder import Run
from resect.running.forecast import refuse_hopeless
from resect.running.ladder import Candidate
from resect.running.resolve import Resolved, resolve
from resect.running.study_run import Watch
from resect.running.walk import Notice, http_asker
from resect.spec import Recipe, Study

MADE = "model"
"""The folder of the version that was chosen, in the run's."""


@dataclass(frozen=True)
class Choice:
    """What was chosen; `path` is its file or folder, None where no version passed.

    `fits` are the versions within the budget, the smallest first; `lines` say it in at most six.
    """

    run: Run
    recipe: str | None
    path: Path | None
    row: ChoiceRow
    fits: tuple[Candidate, ...]
    lines: tuple[str, ...]

    @property
    def verdict(self) -> Tested | None:
        """The test of the version that was chosen, on the items held back."""
        return self.row.chosen

    @property
    def report(self) -> Path:
        """The page of the run."""
        return self.run.path / "report.html"

    def to_data(self) -> dict[str, Any]:
        """The document of `resect choose --json`."""
        return {
            "passed": self.path is not None,
            "recipe": self.recipe,
            "file": None if self.path is None else str(self.path),
            "report": str(self.report),
            "lines": list(self.lines),
            "choice": asdict(self.row),
            "versions": [
                {"recipe": c.recipe.name, **c.footprint._asdict(), "total": c.footprint.total}
                for c in self.fits
            ],
        }

    def _repr_html_(self) -> str:
        """The answer and the matrix of all versions, for notebooks."""
        from resect.report.notebook import of_run

        return of_run(self.run.findings(), self.lines)


def choose(
    study: Study,
    out: Path,
    *,
    runtime: str,
    budget: int | None = None,
    recipes: Sequence[Recipe] | None = None,
    tune: str | None = None,
    watch: Watch = study_run.unwatched,
    notice: Notice = lambda _: None,
    trust_remote_code: bool = False,
    anyway: bool = False,
) -> Choice:
    """Choose among `recipes`, or the usual ladder, for the first model of `study`.

    `study` has the models and how tasks are asked; its recipes are set here. Raises `RequestError`
    before anything is made where no version fits the budget or the disk, or none could pass.
    """
    if runtime not in ladder.RUNTIMES:
        raise unknown("runtime", runtime, ladder.RUNTIMES)
    role, ref = next(iter(study.models.items()))
    loaded = loading.check(ref)
    asked = list(recipes or ladder.recipes_for(loaded.model, runtime, tune))
    _refuse_other_runtime(asked, runtime)
    context = study.runtime.n_ctx or _room(resolve(study, trust_remote_code), loaded)
    sized = ladder.candidates(
        loaded.model, loaded.tokenizer, asked, context, budget, study.runtime.kv
    )
    fits = _fitting(sized, budget)
    _refuse_full_disk(fits, out)
    own = [c.recipe.model_copy(update={"roles": (role,)}) for c in fits]
    given = {**study.model_dump(), "recipes": own, "choose": True, "measure": "full"}
    run = study_run.run(
        Study.of(**given), out, watch=watch, notice=notice, trust_remote_code=trust_remote_code,
        check=None if anyway else refuse_hopeless, gate=not anyway,
    )  # fmt: skip
    summary = run.findings()
    row = next(row for row in summary.choice if row.role == role)
    path = None if row.chosen is None else _made(run, runtime, notice)
    start = "" if path is None else _start(path, runtime, context, _batch(fits, row), study.tasks)
    lines = answer_lines(summary, row, None if path is None else str(path), start, budget)
    recipe = row.chosen.recipe if row.chosen else None
    return Choice(run, recipe, path, row, tuple(fits), tuple(lines))


def _refuse_other_runtime(recipes: Sequence[Recipe], runtime: str) -> None:
    for recipe in recipes:
        if (recipe.runtime == LLAMA_CPP) != (runtime == LLAMA_CPP):
            raise RequestError(
                f"{recipe.name} is asked in {recipe.runtime}, not in {runtime}: give another "
                "--method, or another --runtime."
            )


def _room(resolved: Resolved, loaded: loading.Loaded) -> int:
    """Tokens of the longest prompt and its answer, over the tasks."""
    return max(
        http_asker(loaded, info, resolved.items[name]).room for name, info in resolved.infos.items()
    )


def _fitting(sized: Sequence[Candidate], budget: int | None) -> list[Candidate]:
    """The versions within the budget; raises `RequestError` where there is none."""
    if not sized:
        raise RequestError("this model can have none of the versions: name others with --method.")
    fits = [c for c in sized if budget is None or c.footprint.total <= budget]
    if fits:
        return fits
    least = min(sized, key=lambda c: c.footprint.total)
    assert budget is not None
    raise RequestError(
        f"no version fits {size(budget)}: the smallest, {least.recipe.name}, takes "
        f"{size(least.footprint.total)} ({_parts(least.footprint)}). Raise --budget."
    )


def _parts(footprint: Footprint) -> str:
    file, cache, buffers = map(size, footprint)
    return f"file {file}, cache {cache}, buffers {buffers}"


def _refuse_full_disk(fits: Sequence[Candidate], out: Path) -> None:
    """One version at a time is on disk, and the one that was chosen beside it."""
    place = next(part for part in (out.absolute(), *out.absolute().parents) if part.exists())
    needed, free = 2 * max(c.footprint.file for c in fits), shutil.disk_usage(place).free
    if needed > free:
        raise RequestError(
            f"the disk of {out} has {size(free)} free, and versions need {size(needed)}: free "
            "some, lower --budget, or give another --out."
        )


def _batch(fits: Sequence[Candidate], row: ChoiceRow) -> int | None:
    """How many tokens the chosen version reads at once."""
    chosen = row.chosen
    return next((c.batch for c in fits if chosen and c.recipe.name == chosen.recipe), None)


def _start(path: Path, runtime: str, context: int, batch: int | None, tasks: Sequence[str]) -> str:
    """The command that serves a version; for vLLM with how it is checked there."""
    if runtime == VLLM:
        return f"vllm serve {path} ({papers.checked_there(','.join(tasks))})"
    if runtime != LLAMA_CPP:
        return f'AutoModelForCausalLM.from_pretrained("{path}")'
    smaller = f" -ub {batch}" if batch and batch < LARGEST_BATCH else ""
    return f"llama-server -m {path} -c {context}{smaller}"


def _made(run: Run, runtime: str, notice: Notice) -> Path:
    """Write the chosen version with its papers into the run's folder; its file or folder."""
    place = run.path / MADE
    if place.exists():
        shutil.rmtree(place)
    if runtime == LLAMA_CPP:
        paths = hub_upload.export(run, "gguf", place, notice=notice)
        return next(path for path in paths if path.suffix == ".gguf")
    hub_upload.export(run, "folder", place, notice=notice)
    return place
