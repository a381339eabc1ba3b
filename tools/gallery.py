"""Build example pages into runs/gallery: `make gallery`; the site links what is there.

The two demos are run, the audit where its data are at hand; a study that takes hours is taken from
its run folder in `runs/`, where there is one. A page that exists stays: remove it for a new one.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "runs"
GALLERY = RUNS / "gallery"
RECORDED = "lobotomy_logs.tar.xz"
LONG = {"real": "real-model", "smollm2": "real-pair", "gguf": "gguf", "smallest": "smallest"}
"""Run folders of studies that take long, and the names of their pages."""


def recorded(data: Path | None) -> Path | None:
    """The answers of the published 7B study, in a data folder."""
    places = sorted(data.rglob(RECORDED)) if data else []
    return places[0] if places else None


def steps(data: Path | None) -> dict[str, tuple[Path, list[str]]]:
    """Each page with its run folder and the command that fills it."""
    wanted = {
        "demo": (RUNS / "demo", ["demo"]),
        "demo-moe": (RUNS / "demo-moe", ["demo", "--moe"]),
    }
    answers = recorded(data)
    if answers:
        wanted["audit-7b"] = (RUNS / "audit-7b", ["audit", str(answers)])
    for folder, name in LONG.items():
        if (RUNS / folder / "results.sqlite").is_file():
            wanted[name] = (RUNS / folder, ["report", str(RUNS / folder)])
    return wanted


def left_out(data: Path | None) -> dict[str, str]:
    """Each page that cannot be built here, and what it needs."""
    needs = {"audit-7b": f"{RECORDED} in --data"}
    needs |= {name: f"a run in runs/{folder}" for folder, name in LONG.items()}
    return {name: need for name, need in needs.items() if name not in steps(data)}


def build(name: str, run: Path, command: list[str]) -> Path:
    """One page, built if it is not there."""
    page = GALLERY / f"{name}.html"
    if not page.exists():
        out = [] if command[0] == "report" else ["--out", str(run)]
        subprocess.run([sys.executable, "-m", "resect.cli", *command, *out, "--quiet"], check=True)
        shutil.copyfile(run / "report.html", page)
    return page


def main() -> None:
    """Build every page; print where it is and how large, and what is left out."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", default="", help="the folder of offline data")
    given = options.parse_args().data
    data = Path(given) if given else None
    GALLERY.mkdir(parents=True, exist_ok=True)
    for name, (run, command) in steps(data).items():
        page = build(name, run, command)
        print(f"{page.relative_to(ROOT)}  {page.stat().st_size / 1e6:.1f} MB", flush=True)
    for name, need in left_out(data).items():
        print(f"{name} is left out: it needs {need}")


if __name__ == "__main__":
    main()
