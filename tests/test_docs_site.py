"""The documentation site: its generated pages, and a strict build where mkdocs is installed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import util as importing
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))


@pytest.fixture(scope="module")
def pages():
    spec = importing.spec_from_file_location("docs_site", ROOT / "docs/site_pages.py")
    module = importing.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_is_in_the_navigation():
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("nav:")[1]
    for page in ROOT.glob("docs/**/*.md"):
        assert str(page.relative_to(ROOT / "docs")) in nav


def test_the_reference_has_every_command_and_every_key_of_a_study(pages):
    from resect.cli import ORDER
    from resect.spec import Study

    commands, keys = pages.commands(), pages.study_keys()
    assert all(f"### resect {name}\n" in commands for name in ORDER)
    assert "| `--margin` | Largest loss that still passes" in commands
    assert all(f"| `{name}` |" in keys for name in Study.model_fields)


def test_the_reference_has_every_prompt(pages):
    from resect.tasks import TASKS

    text = pages.prompts()
    assert all(f"## {name}\n" in text for name in TASKS if not name.endswith(":"))
    assert "Abstract: CONTEXT\nQuestion: QUESTION\nAnswer:" in text
    assert "C. OPTION C\nD. OPTION D\nAnswer:" in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("summary.md", {"### Headline", "| `text` | text |", "### SweepVerdict"}),
        ("architecture.md", {"  tracking/ ", "  smallest.yaml ", "  truth.py "}),
    ],
)
def test_pages_are_filled_while_the_site_is_built(pages, name, shown):
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    page, other = (SimpleNamespace(file=SimpleNamespace(src_uri=uri)) for uri in (name, "x.md"))
    filled = pages.on_page_markdown(text, page=page, config=None, files=None)
    assert all(part in filled for part in shown)
    assert not any(part in text for part in shown)
    assert pages.on_page_markdown(text, page=other) == text


def test_the_gallery_lists_what_was_built(pages, tmp_path):
    assert "| demo (not built) |" in pages.gallery(tmp_path)
    (tmp_path / "demo.html").write_text("<p>")
    text = pages.gallery(tmp_path)
    assert "| [demo](../gallery/demo.html) |" in text
    assert "| gguf (not built) |" in text


@pytest.mark.slow
@pytest.mark.skipif(importing.find_spec("mkdocs") is None, reason="pip install 'resect[docs]'")
def test_the_site_builds_strictly(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "reference" / "cli.html").stat().st_size > 10_000


def test_the_gallery_takes_what_is_there(pages, tmp_path, monkeypatch):
    from tools import gallery

    monkeypatch.setattr(gallery, "RUNS", tmp_path)
    assert set(gallery.steps(None)) == {"demo", "demo-moe"}
    assert {"demo", "demo-moe", *gallery.left_out(None)} == set(pages.PAGES)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / gallery.RECORDED).touch()
    (tmp_path / "gguf").mkdir()
    (tmp_path / "gguf" / "results.sqlite").touch()
    steps = gallery.steps(tmp_path / "data")
    assert set(steps) == {"demo", "demo-moe", "audit-7b", "gguf"}
    assert steps["gguf"][1] == ["report", str(tmp_path / "gguf")]
    assert set(gallery.left_out(tmp_path / "data")) == {"real-model", "real-pair", "smallest"}


def test_the_release_files_name_one_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]
    assert {step["run"] for step in jobs["build"]["steps"] if "run" in step} >= {
        "bash tools/bare_install.sh"
    }
    for form in ROOT.glob(".github/ISSUE_TEMPLATE/*.yml"):
        assert yaml.safe_load(form.read_text())
