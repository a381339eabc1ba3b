"""Commands of the docs: the quick ones run as they stand, all others exist with their options."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from lazy import WHEN_RUN
from typer.main import get_command

from resect.cli import app, main

if WHEN_RUN:
    import torch  # noqa: F401

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"<!-- (test(?:: [\w/]+)?|network|bare: \d) -->\n```\n(.*?)```", re.S)
SMALL = (
    "resect run --specialist clinic:specialist --method magnitude"
    " --levels 0.5 --task clinic-context --limit 24 --anyway --measure sizes --quiet --out"
)
COMING: set[str] = set()
"""Commands that the pages name before they are part of the application."""


def commands(block: str) -> list[list[str]]:
    """The words of every `resect` command of a block."""
    lines = [line for line in block.splitlines() if re.match(r"(\w+=\S+ )?resect [a-z]", line)]
    words = [shlex.split(re.sub(r"[][]", "", line), comments=True) for line in lines]
    return [line[line.index("resect") :] for line in words]


def marked(kind: str) -> list[tuple[str, str, str]]:
    """Page, marker and text of every block under a marker of this kind."""
    return [
        (str(page.relative_to(ROOT)), marker, block)
        for page in PAGES
        for marker, block in BLOCK.findall(page.read_text(encoding="utf-8"))
        if marker.startswith(kind)
    ]


def run(words: list[str]) -> None:
    assert main(words[1:]) == 0, shlex.join(words)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder as the pages assume it: the repository's studies, and a run in runs/demo."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "studies").symlink_to(ROOT / "studies")
    run([*SMALL.split(), str(folder / "runs/demo")])
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "block"), [(page, block) for page, _, block in marked("test")], ids=lambda x: x[:40]
)
def test_quick_commands_run_as_they_stand(page, block, place, tmp_path, monkeypatch):
    (tmp_path / "studies").symlink_to(place / "studies")
    if f"<!-- test: runs/demo -->\n```\n{block}" in (ROOT / page).read_text(encoding="utf-8"):
        (tmp_path / "runs").mkdir()
        (tmp_path / "runs/demo").symlink_to(place / "runs/demo")
    monkeypatch.chdir(tmp_path)
    for words in commands(block):
        run(words)


WITHOUT = """
import json, sys
for name in json.loads(sys.argv[1]):
    sys.modules[name] = None
from resect.cli import main
print(json.dumps([main(words[1:]) for words in json.loads(sys.argv[2])]))
"""


def of_extras_alone() -> list[str]:
    """The installed modules that come with an extra and with no dependency of the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    named = [line for name in extras if name not in ("dev", "docs") for line in extras[name]]
    optional, needed = (
        {re.split(r"[<>=\[]", line)[0].lower().replace("_", "-") for line in lines}
        for lines in (named, project["dependencies"])
    )
    return [
        module
        for module, packages in packages_distributions().items()
        if {name.lower().replace("_", "-") for name in packages} <= optional - needed
    ]


@pytest.mark.slow
def test_the_commands_without_extras_end_as_the_page_says(place, tmp_path):
    """Those of docs/howto/install.md, save the demo; tools/bare_install.sh runs all of them."""
    shutil.copytree(place / "runs", tmp_path / "runs")
    blocks = [(int(marker[-1]), commands(block)) for _, marker, block in marked("bare")]
    wanted = [(code, words) for code, block in blocks for words in block if words[1] != "demo"]
    assert {code for code, _ in wanted} == {0, 2}
    hidden = of_extras_alone()
    assert {"bitsandbytes", "peft"} <= set(hidden)
    given = [json.dumps(hidden), json.dumps([words for _, words in wanted])]
    call = [sys.executable, "-c", WITHOUT, *given]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    codes = json.loads(done.stdout.splitlines()[-1])
    expected = [(code, shlex.join(words)) for code, words in wanted]
    actual = [(code, text) for code, (_, text) in zip(codes, expected, strict=True)]
    assert actual == expected, done.stderr[-2000:]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_commands_is_run_or_marked(page):
    text = page.read_text(encoding="utf-8")
    for block in re.finditer(r"^```\w*\n(.*?)^```$", text, re.S | re.M):
        *_, before = text[: block.start()].splitlines()
        if re.search(r"^(\w+=\S+ )?(resect|make|pip|python|lm_eval) ", block[1], re.M):
            assert re.match(r"<!-- (test|network|bare|minutes)", before), block[1]


def test_there_are_quick_commands():
    assert sum(len(commands(block)) for _, _, block in marked("test")) >= 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_exists(page):
    group = get_command(app)
    blocks = re.findall(r"```(?:sh)?\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    for words in (words for block in blocks for words in commands(block.replace("\\\n", " "))):
        name = words[1].rstrip(";")
        if name in COMING:
            continue
        assert name in group.commands, f"{page.name}: resect {name}"
        known = {flag for option in group.commands[name].params for flag in option.opts}
        given = {word.split("=")[0].replace("_", "-") for word in words if word.startswith("--")}
        assert given <= known, f"{page.name}: resect {name} {given - known}"
