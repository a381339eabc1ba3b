"""Answers that others recorded, read as if they were ours: a table of formats, one file each.

`audit` reads them, fills an ordinary run folder and reports on it. Works without torch.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from resect.errors import RequestError, unknown
from resect.recorded import files, fill, lm_eval, lobotomy, plain
from resect.recorded.row import Recorded, RecordedStudy
from resect.running.destination import destination
from resect.running.folder import Run

FORMATS: dict[str, ModuleType] = {"lobotomy": lobotomy, "lm-eval": lm_eval, "plain": plain}
"""Formats in the order in which they are tried, from the most to the least particular names.

`matches(names)` says whether files of these names look like the format; `read(path)` returns the
`RecordedStudy` below a path, or raises `RequestError` where a file is not as it should be.
"""


def get(name: str) -> ModuleType:
    """The format called `name`; an unknown name is answered with the nearest ones."""
    if name not in FORMATS:
        raise unknown("format", name, FORMATS)
    return FORMATS[name]


def recognise(path: Path) -> str:
    """Name of the format that the files below `path` are in, judged by their names."""
    names = files.names(path)
    if not names:
        raise RequestError(f"{path} is empty: give the folder that holds the recorded answers.")
    for name in FORMATS:
        if get(name).matches(names):
            return name
    raise RequestError(
        f"no recorded answers are recognised in {path}: formats are {', '.join(FORMATS)}; force "
        "one with --format, or write the plain format of docs/recorded.md."
    )


def audit(
    path: str | Path,
    out: str | Path | None = None,
    *,
    format: str | None = None,
    specialist: str | None = None,
    base: str | None = None,
) -> Run:
    """Read the answers at `path` into a run folder and write its summary, page and card.

    `specialist` and `base` name models of the data where it does not say who is which. All is
    read and checked before anything is written. Raises `RequestError`.
    """
    place = _place(path)
    title = place.resolve().name
    for ending in (*files.ARCHIVES, ".jsonl", ".csv", ".jsonl.gz", ".csv.gz"):
        title = title.removesuffix(ending)
    target = destination(out or Path("runs") / f"audit-{title}")
    name = format or recognise(place)
    study = get(name).read(place)
    run = fill.write(
        fill.fill(study, place, name, {"specialist": specialist, "base": base}), target
    )
    run.report()
    return run


def _place(path: str | Path) -> Path:
    """What is to be read, with `~` spelled out."""
    try:
        place = Path(path).expanduser()
        exists = place.exists()
    except (OSError, RuntimeError, ValueError) as error:  # ~ of nobody; a name that is too long
        raise RequestError(f"{path} cannot be read ({error}): give another path.") from None
    if not exists:
        raise RequestError(f"there is nothing at {place}: give a folder, a file or an archive.")
    if not files.is_text(str(place.resolve())):
        raise RequestError(f"the path {str(place)!a} is not UTF-8: rename the folder or file.")
    return place


__all__ = ["FORMATS", "Recorded", "RecordedStudy", "audit", "get", "recognise"]
