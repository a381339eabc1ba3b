"""Where a command is to write: one sentence at the start, and nothing left behind."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest
from lazy import WHEN_RUN

from resect import Study
from resect.cli import main
from resect.errors import RequestError
from resect.running.destination import destination

if WHEN_RUN:
    from resect import run


def dangling(folder):
    (folder / "link").symlink_to(folder / "nowhere")
    return folder / "link"


def below_a_file(folder):
    (folder / "file").write_text("mine")
    return folder / "file" / "deeper" / "run"


def a_file(folder):
    (folder / "file").write_text("mine")
    return folder / "file"


def a_link_to_a_file(folder):
    (folder / "file").write_text("mine")
    (folder / "link").symlink_to(folder / "file")
    return folder / "link"


WRONG = [
    (dangling, "is a broken link"),
    (lambda folder: dangling(folder) / "run", "is a broken link"),
    (a_file, "is a file, not a folder"),
    (below_a_file, "is a file, not a folder"),
    (a_link_to_a_file, "is a file, not a folder"),
    (lambda folder: "~nobody-has-this-name/run", "is not a valid path"),
    (lambda folder: "/proc/resect", "cannot be written"),
    (lambda folder: folder / ("x" * 300), "cannot be written"),
    (lambda folder: "a\0b", "is not a valid path"),
]


@pytest.mark.parametrize(("make", "sentence"), WRONG)
def test_what_cannot_be_written_to(make, sentence, tmp_path):
    path = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RequestError, match=sentence):
        destination(path)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "command",
    [
        ["demo"],
        ["run", "study.yaml"],
        ["eval", "model", "--task", "clinic-context"],
        ["compress", "model", "--step", "magnitude:0.5"],
        ["recover", "model", "--data", "clinic"],
        ["audit", "answers.csv"],
        ["export", "run", "--to", "csv"],
    ],
)
def test_every_command_looks_before_anything_else(command, tmp_path, monkeypatch, capsys):
    """Not one of the models and files that are named is there: the folder is looked at first."""
    monkeypatch.chdir(tmp_path)
    assert main([*command, "--out", str(dangling(tmp_path))]) == 2
    error = capsys.readouterr().err
    assert "is a broken link" in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


def test_a_study_looks_before_its_models_are(tmp_path):
    study = Study.of(models={"base": str(tmp_path / "gone")}, recipes=[], tasks=["clinic-logic"])
    with pytest.raises(RequestError, match="is a broken link"):
        run(study, dangling(tmp_path))


def test_a_home_folder_is_spelled_out(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert destination("~/runs/x") == tmp_path / "runs" / "x"
    assert destination("runs/x").as_posix() == "runs/x"
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_noticed_by_the_first_write(tmp_path):
    """A limit of no bytes a file stands for the disk: the kernel refuses the write itself."""

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    asked = ["report", "run", "--figures", str(tmp_path / "figures")]
    ended = subprocess.run(
        [sys.executable, "-m", "resect.cli", *asked],
        preexec_fn=full,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert ended.returncode == 2
    assert "cannot be written to (File too large)" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
