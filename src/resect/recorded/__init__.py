"""Other people's answers as if they were ours: one file a format, a table of names.

`audit` reads them, fills an ordinary run folder and reports on it. Torch-free.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from resect.errors import RequestError, unknown
from resect.recorded import files, fill
from resect.recorded.row import Found, Recorded
from resect.run.folder import Run


class Format(Protocol):
    """What a format's file offers."""

    def matches(self, names: list[str]) -> bool:
        """Whether files of these names look like this format."""
        ...

    def read(self, path: Path) -> Found:
        """Everything below `path`; `RequestError` where a file is not as it should be."""
        ...


# In the order in which they are tried: from the most to the least particular names.
FORMATS: dict[str, str] = {
    "lobotomy": "resect.recorded.lobotomy",
    "lm-eval": "resect.recorded.lm_eval",
    "plain": "resect.recorded.plain",
}


def get(name: str) -> Format:
    """The format called `name`; an unknown name answers with the nearest ones."""
    if name not in FORMATS:
        raise unknown("format", name, FORMATS)
    return cast(Format, import_module(FORMATS[name]))


def recognise(path: Path) -> str:
    """Name of the format that the files below `path` are in, judged by their names."""
    if not path.exists():
        raise RequestError(f"there is nothing at {path}: give a folder, a file or an archive.")
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
    place = Path(path).expanduser()
    name = format or recognise(place)
    reader = get(name)
    if not place.exists():
        raise RequestError(f"there is nothing at {place}: give a folder, a file or an archive.")
    asked = {"specialist": specialist, "base": base}
    filled = fill.fill(reader.read(place), place, name, asked)
    title = place.resolve().name
    for ending in (*files.ARCHIVES, ".jsonl", ".csv", ".jsonl.gz", ".csv.gz"):
        title = title.removesuffix(ending)
    run = fill.write(filled, Path(out) if out else Path("runs") / f"audit-{title}")
    run.report()
    return run


__all__ = ["FORMATS", "Found", "Recorded", "audit", "get", "recognise"]
