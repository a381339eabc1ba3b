"""The examples of docs/adding_a_*.md, run as they stand: packages found by entry points."""

from __future__ import annotations

import importlib
import re
import runpy
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from resect import tasks
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
    fresh()


def fresh() -> None:
    """Forget which packages were there, as a new process would."""
    importlib.invalidate_caches()
    method_table.installed.cache_clear()
    tasks.installed.cache_clear()


def test_a_method_of_another_package_is_applied(site: Path) -> None:
    from resect import compress, methods
    from resect.spec import Recipe, Step, every_method

    install("adding_a_method.md", site)
    fresh()
    assert every_method()["relative"].dose == "fraction of the weights"
    assert Recipe.of(steps="relative").level_of == "targeted weights"
    assert methods.check(Step.parse("relative:0.5,scope=row")).name == "relative"
    model = compress("clinic:base", "relative:0.5")
    weight = model.model.layers[0].mlp.up_proj.weight
    assert int((weight == 0).sum()) >= weight.numel() // 2


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("nowhere.entry:ENTRY", "relative of the package resect-relative cannot be loaded"),
        ("pathlib:Path", "must name a resect.spec.Entry, not pathlib:Path"),
    ],
)
def test_a_broken_package_is_named(site: Path, where: str, sentence: str) -> None:
    install("adding_a_method.md", site)
    info = next(site.glob("*.dist-info"))
    (info / "entry_points.txt").write_text(f"[resect.methods]\nrelative = {where}\n")
    fresh()
    with pytest.raises(RequestError, match=sentence):
        method_table.entry_of("relative")


def test_a_package_may_not_take_a_name_of_the_table(site: Path) -> None:
    install("adding_a_method.md", site)
    info = next(site.glob("*.dist-info"))
    (info / "entry_points.txt").write_text(
        "[resect.methods]\nwanda = resect_relative.entry:ENTRY\n"
    )
    fresh()
    with pytest.raises(
        RequestError, match="package resect-relative adds the method wanda, but resect already has"
    ):
        method_table.entry_of("another")


def test_a_task_of_another_package_is_asked(site: Path) -> None:
    from resect.tasks import Source

    install("adding_a_task.md", site)
    fresh()
    task = tasks.get("dose-units")
    items = task.items(Source())
    assert [item.gold for item in items] == ["yes", "no", "yes", "no"]
    assert task.describe(Source()).reader == "label"
    assert "dose-units" in {info.name for info in tasks.listed()}


def test_a_metric_is_in_the_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import resect.catalog
    from resect.findings import part_metrics

    monkeypatch.setattr(resect.catalog, "QUANTITIES", resect.catalog.QUANTITIES | {})
    monkeypatch.setattr(part_metrics, "METRICS", dict(part_metrics.METRICS))
    files = dict(BLOCK.findall((DOCS / "adding_a_metric.md").read_text(encoding="utf-8")))
    example = tmp_path / "example.py"
    example.write_text(files["new_tokens.py"], encoding="utf-8")
    runpy.run_path(str(example))
    assert resect.catalog.label("excess_words") == "Excess words"
    parts = {"words": np.array([12.0, 8.0]), "reference_words": np.array([9.0, 7.0])}
    top, bottom = part_metrics.measurable(parts)["excess_words"].sums(parts)
    assert top.sum() / bottom.sum() == pytest.approx(4 / 20)
