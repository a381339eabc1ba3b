"""Processes that are killed in the middle: the next start sweeps up and comes to the same."""

from __future__ import annotations

import os
import signal

import pytest
from lazy import WHEN_RUN

import resect
from resect.cli import main

if WHEN_RUN:
    from tools.fuzz import recorded

    from resect.models import adapters, loading
    from resect.models import checkpoint_files as files
    from resect.recover import trainer
    from resect.running import folder
    from resect.store.sqlite import Store

pytestmark = pytest.mark.slow


def killed(arguments, place, name, number):
    """Run a command in a child that kills itself when a function is called the given time."""
    child = os.fork()
    if child == 0:
        original, calls = getattr(place, name), iter(range(number))

        def deadly(*given, **named):
            if next(calls, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*given, **named)

        setattr(place, name, deadly)
        os._exit(main([*arguments, "--quiet"]))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("number", [0, 1, 7])
def test_compress_streamed(number, tiny_pair, tmp_path):
    out = tmp_path / "out" / "small"
    command = ["compress", str(tiny_pair[0]), "--step", "magnitude:0.5", "--out", str(out)]
    assert killed(command, files, "_write", number) == -signal.SIGKILL
    assert not out.exists()
    assert main([*command, "--quiet"]) == 0
    assert [path.name for path in out.parent.iterdir()] == ["small"]


def test_compress_in_memory(tiny_pair, tmp_path):
    out = tmp_path / "out" / "small"
    command = ["compress", str(tiny_pair[0]), "--out", str(out)]
    command += ["--step", "magnitude:0.2", "--step", "magnitude:0.5"]
    assert killed(command, adapters, "save", 0) == -signal.SIGKILL
    assert main([*command, "--quiet"]) == 0
    assert [path.name for path in out.parent.iterdir()] == ["small"]


@pytest.mark.parametrize(
    ("place", "name", "number"),
    [("states", "on_step_end", 1), ("states", "on_save", 0), ("states", "on_save", 1),
     ("adapters", "save", 0), ("loading", "refuse_unloadable", 0)],
)  # fmt: skip
def test_recover(place, name, number, tiny_pair, tmp_path):
    """In a step, before a state is marked as whole, before the model is written, and after it."""
    pytest.importorskip("peft")
    step = "lora,steps=6,batch_size=2,examples=40,max_length=64,evaluations=3,dropout=0.1"
    command = ["recover", str(tiny_pair[0]), "--data", "clinic", "--method", step, "--out"]
    out, whole = tmp_path / "out" / "tuned", tmp_path / "whole"
    owner = {"states": trainer._Watch, "adapters": adapters, "loading": loading}[place]
    assert killed([*command, str(out)], owner, name, number) == -signal.SIGKILL
    assert not out.exists()
    assert main([*command, str(out), "--quiet"]) == 0
    assert [path.name for path in out.parent.iterdir()] == ["tuned"]
    assert main([*command, str(whole), "--quiet"]) == 0
    for path in whole.iterdir():
        assert (out / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize(
    ("place", "name", "number"),
    [("store", "put_study", 0), ("store", "put_answers", 1), ("store", "put_cell", 2),
     ("folder", "write", 0), ("folder", "write", 2)],
)  # fmt: skip
def test_audit(place, name, number, tmp_path):
    path = recorded.put(tmp_path / "in", {"a.jsonl": recorded.lines(recorded.plain_rows())})
    command = ["audit", str(path), "--out", str(tmp_path / "run")]
    owner = Store if place == "store" else folder
    assert killed(command, owner, name, number) == -signal.SIGKILL
    assert main([*command, "--quiet"]) == 0
    assert main(["audit", str(path), "--out", str(tmp_path / "whole"), "--quiet"]) == 0
    assert resect.same_summary(tmp_path / "run", tmp_path / "whole")


@pytest.mark.parametrize("number", [0, 2])
def test_report(number, tmp_path):
    """A page that is being rebuilt is the old one or the new one."""
    path = recorded.put(tmp_path / "in", {"a.jsonl": recorded.lines(recorded.plain_rows())})
    out = tmp_path / "run"
    assert main(["audit", str(path), "--out", str(out), "--quiet"]) == 0
    before = {p.name: p.read_bytes() for p in out.iterdir() if p.suffix in (".html", ".json")}
    assert killed(["report", str(out)], folder, "write", number) == -signal.SIGKILL
    assert main(["report", str(out), "--quiet"]) == 0
    assert before == {name: (out / name).read_bytes() for name in before}
