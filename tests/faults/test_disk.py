"""A disk that is full: one sentence, nothing half-written, and the same command works later."""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path

import pytest
from lazy import WHEN_RUN

from resect.cli import main

if WHEN_RUN:
    from tools.fuzz import recorded

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def files_up_to(size):
    """No file of this process grows beyond a size, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def sentence(capsys, arguments, code=1):
    """The one line that a command ends with."""
    capsys.readouterr()
    assert main([*arguments, "--quiet"]) == code
    shown = capsys.readouterr().err.strip()
    assert shown.startswith("resect: ")
    assert len(shown.splitlines()) == 1, shown
    assert "fault of resect" not in shown
    return shown


@pytest.mark.parametrize("steps", [["magnitude:0.5"], ["magnitude:0.2", "magnitude:0.5"]])
def test_compress(steps, tiny_pair, tmp_path, capsys):
    """Streamed and in memory."""
    out = tmp_path / "out" / "small"
    command = ["compress", str(tiny_pair[0]), "--out", str(out)]
    command += [part for step in steps for part in ("--step", step)]
    with files_up_to(20_000):
        assert "nothing is written there" in sentence(capsys, command)
    assert list((tmp_path / "out").iterdir()) == []
    assert main([*command, "--quiet"]) == 0


def test_recover(tiny_pair, tmp_path, capsys):
    pytest.importorskip("peft")
    out = tmp_path / "out" / "tuned"
    step = "lora,steps=4,batch_size=2,examples=40,max_length=64"
    command = ["recover", str(tiny_pair[0]), "--data", "clinic", "--method", step]
    command += ["--out", str(out)]
    with files_up_to(8_000):
        assert "the disk is full" in sentence(capsys, command)
    assert not out.exists()
    assert main([*command, "--quiet"]) == 0
    assert [path.name for path in out.parent.iterdir()] == ["tuned"]


def test_audit_and_report(tmp_path, capsys):
    path = recorded.put(tmp_path / "in", {"a.jsonl": recorded.lines(recorded.plain_rows())})
    out = tmp_path / "run"
    command = ["audit", str(path), "--out", str(out)]
    with files_up_to(16_000):
        sentence(capsys, command)
    assert not (out / "report.html").exists()
    assert main([*command, "--quiet"]) == 0
    before = {p.name: p.read_bytes() for p in out.iterdir() if p.suffix in (".html", ".json")}
    with files_up_to(1_000):
        sentence(capsys, ["report", str(out)])
        sentence(capsys, ["export", str(out), "--to", "csv", "--out", str(tmp_path / "csv")], 2)
    assert before == {name: Path(out, name).read_bytes() for name in before}
    assert not list(out.glob(".report*"))
    assert not (tmp_path / "csv").exists()
    assert main(["report", str(out), "--quiet"]) == 0
