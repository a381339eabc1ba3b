"""Ctrl-C on a real run: a sentence that says what is kept, which is true, and the run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from test_run import a_study, stored

import resect

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("how", [[], ["--workers", "2"]])
def test_ctrl_c_says_what_is_kept(how, tiny_pair, tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text(a_study(tiny_pair, limit=40).dump())
    out = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "resect.cli",
        "run",
        str(study),
        "--anyway",
        "--out",
        str(out),
        "--quiet",
    ]
    running = subprocess.Popen(
        [*command, *how], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's `&` ignores it
    )  # fmt: skip
    until = time.monotonic() + 300
    while not stored(out) and running.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: every process of the group
    printed, error = running.communicate(timeout=120)
    assert running.returncode == 130
    assert printed == ""
    kept = stored(out)
    assert 0 < kept < 2 * 4 * 2 * 40
    assert f"resect: stopped: {kept:,} answers in " in error
    assert f"of 16 cells are kept in {out}. Run the same command to continue." in error
    assert error.count("\n") == 1
    subprocess.run(command, check=True)
    assert stored(out) == 2 * 4 * 2 * 40


def test_ctrl_c_before_anything_is_there(tmp_path, monkeypatch, capsys):
    from resect import api
    from resect.cli import main

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(api, "run", stopped)
    assert main(["demo"]) == 130
    assert capsys.readouterr().err == (
        "resect: stopped before anything was asked: run the same command to start again.\n"
    )


def test_ctrl_c_elsewhere_is_a_sentence_too(tmp_path, monkeypatch, capsys):
    from resect.cli import main
    from resect.running import folder

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(folder.Run, "report", stopped)
    assert main(["report", str(tmp_path)]) == 130
    error = capsys.readouterr().err
    assert error == "resect: stopped. What is stored already is kept; run the same command again.\n"


def test_a_stopped_run_ends_as_any_other(tiny_pair, tmp_path):
    """The same summary as a run that nobody stopped."""
    study = a_study(tiny_pair, tasks=["clinic-context"], levels="0,0.5")
    events = []

    def watch(planned, happened):
        for event in happened:
            yield event
            events.append(event)
            if len(events) == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resect.run(study, tmp_path / "run", watch=watch)
    again = resect.run(study, tmp_path / "run")
    assert resect.same_summary(again.path, resect.run(study, tmp_path / "whole").path)


def test_a_run_in_part_says_so_and_fails_nothing(tiny_pair, tmp_path):
    study = a_study(tiny_pair, tasks=["clinic-context"], levels="0,0.3,0.6")

    def watch(planned, happened):
        done = 0
        for event in happened:
            yield event
            done += hasattr(event, "result")
            if done == 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resect.run(study, tmp_path / "run", watch=watch)
    run = resect.Run(tmp_path / "run")
    page = run.report().read_text()
    summary = run.summary()
    said = "partial: 4 of 6 cells; the others were not run yet."
    assert [text for text in summary["warnings"] if "partial" in text] == [said]
    assert not [text for text in summary["warnings"] if "missing at" in text or "failed" in text]
    assert said in page
    assert "failed" not in {row["status"] for row in summary["curves"]}
    assert all(row["state"] != "failed" for row in summary["verdicts"])
    assert run.failed() is None
