"""The examples of docs/adding_a_*.md, run as they stand: packages found by entry points."""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from resect.errors import RequestError
from resect.spec import method_table

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```\w+\n# file: (\S+)\n(.*?)^```", re.S | re.M)


def install(page: str, site: Path) -> None:
    """Write a page's package into `site` as pip would: its files, and its metadata."""
    files = dict(BLOCK.findall((DOCS / page).read_text(encoding="utf-8")))
    project = tomllib.loads(files.pop("pyproject.toml"))["project"]
    for name, text in files.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = project["entry-points"]
    (info / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {where}\n" for name, where in entries.items())
            for group, entries in points.items()
        )
    )


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    place = tmp_path / "site"
    place.mkdir()
    monkeypatch.syspath_prepend(str(place))
    yield place
    importlib.invalidate_caches()
    method_table.installed.cache_clear()


def fresh() -> None:
    """Forget which packages were there, as a new process would."""
    importlib.invalidate_caches()
    method_table.installed.cache_clear()


def test_a_method_of_another_package_is_applied(site: Path) -> None:
    from resect import compress, methods
    from resect.spec import Step, every_method

    install("adding_a_method.md", site)
    fresh()
    assert every_method()["relative"].dose == "fraction of the weights"
    assert methods.check(Step.parse("relative:0.5,scope=row")).name == "relative"
    model = compress("clinic:base", "relative:0.5")
    weight = model.model.layers[0].mlp.up_proj.weight
    assert int((weight == 0).sum()) >= weight.numel() // 2


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("nowhere.entry:ENTRY", "cannot be loaded"),
        ("pathlib:Path", "is no resect.spec.Entry"),
    ],
)
def test_a_broken_package_is_named(site: Path, where: str, sentence: str) -> None:
    install("adding_a_method.md", site)
    info = next(site.glob("*.dist-info"))
    (info / "entry_points.txt").write_text(f"[resect.methods]\nrelative = {where}\n")
    fresh()
    with pytest.raises(RequestError, match=f"relative of the package resect-relative {sentence}"):
        method_table.entry_of("relative")


def test_a_package_may_not_take_a_name_of_the_table(site: Path) -> None:
    install("adding_a_method.md", site)
    info = next(site.glob("*.dist-info"))
    (info / "entry_points.txt").write_text(
        "[resect.methods]\nwanda = resect_relative.entry:ENTRY\n"
    )
    fresh()
    with pytest.raises(RequestError, match="adds a method wanda, which resect has"):
        method_table.entry_of("another")
