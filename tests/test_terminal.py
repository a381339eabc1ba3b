"""Text from outside in a terminal: it is shown, and nothing obeys it."""

from __future__ import annotations

import io
import json
import unicodedata

import pytest
from rich.console import Console

from resect.cli import main
from resect.cli.output import noticing, say
from resect.errors import RequestError
from resect.report.cleaner import hidden, plain, plain_json

NASTY = "a\x1b[31mb\x1b]0;title\x07c\x9b2J\u202egnp\u2066d\u200be\x7f\x00\r\tf\U000e0041\ud800"
SHOWN = r"a\x1b[31mb\x1b]0;title\x07c\x9b2J\u202egnp\u2066d\u200be\x7f\x00\r\tf\U000e0041\ud800"


def harmless(text: str) -> bool:
    return not any(hidden(char) for char in text.replace("\n", ""))


def test_one_cleaner():
    assert plain(NASTY) == SHOWN
    assert plain("a\nb") == "a b"
    assert plain("a\nb", keep_lines=True) == "a\nb"
    assert plain("größer – 漢字 👍 עברית") == "größer – 漢字 👍 עברית"
    assert plain(None) == plain(float("nan")) == "–"


def test_all_of_unicode():
    """No control, format or reordering character of any plane comes through."""
    bad = {"Cc", "Cf", "Zl", "Zp", "Cs"}
    for start in range(0, 0x110000, 0x1000):
        shown = plain("".join(map(chr, range(start, start + 0x1000))))
        assert not {unicodedata.category(char) for char in shown} & bad


def test_json_is_the_same_data():
    value = {"\u202e": [NASTY.replace("\ud800", ""), "\n", "\U000e0041é"]}
    text = json.dumps(value, ensure_ascii=False, indent=1)
    assert json.loads(plain_json(text)) == value
    assert harmless(plain_json(text))
    assert "é" in plain_json(text)


def test_notices_and_errors(capsys, monkeypatch):
    from resect.running import folder

    noticing(quiet=False)(f"{NASTY} is degraded")
    say(f"one\n{NASTY}")
    printed = capsys.readouterr()
    assert printed.err == f"{SHOWN} is degraded\n"
    assert printed.out == f"one\n{SHOWN}\n"

    def wrong(*_, **__):
        raise RequestError(f"item {NASTY} has\nno gold.")

    monkeypatch.setattr(folder.Run, "report", wrong)
    assert main(["report", "x"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert harmless(error)


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", f"gone{NASTY[:40]}"],
        ["status", f"gone{NASTY[:40]}"],
        ["audit", f"gone{NASTY[:40]}"],
        ["run", f"gone{NASTY[:40]}"],
        ["run", "--base", f"x{NASTY[:40]}", "--task", "clinic-context"],
        ["eval", "m", "--task", f"t{NASTY[:40]}"],
        ["run", f"--no{NASTY[:40]}"],
    ],
)
def test_what_a_command_was_given(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = [word.replace("\x00", "").replace("\ud800", "") for word in arguments]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert harmless(error)
    assert "x1b[31m" in error


def test_recorded_answers_with_such_names(tmp_path, capsys, monkeypatch):
    """An audit of a hostile file: what is printed, and what is refused."""
    monkeypatch.chdir(tmp_path)
    bad = NASTY.replace("\ud800", "")
    rows = [
        {"model": f"m{k}{bad}", "role": role, "task": f"t{bad}", "item": f"{n}{bad}",
         "gold": "yes", "text": "yes", "labels": ["yes", "no"], "level": level,
         "recipe": "none" if level == 0 else f"cut{bad}"}
        for k, role in enumerate(("specialist", "base"))
        for level in (0, 0.5)
        for n in range(4)
    ]  # fmt: skip
    lines = [json.dumps(row) for row in rows]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    for command in (
        ["audit", "a.jsonl", "--out", "run"],
        ["audit", "a.jsonl", "--out", "run", "--json"],
        ["report", "run"],
        ["status", "run", "--verify"],
        ["diff", "run", "run", "--all"],
        ["export", "run", "--to", "csv", "--out", "csv"],
    ):
        assert main(command) == 0
        printed = capsys.readouterr()
        assert harmless(printed.out + printed.err), command
    (tmp_path / "a.jsonl").write_text("\n".join([*lines, lines[0]]))
    assert main(["audit", "a.jsonl", "--out", "other"]) == 2
    assert harmless(capsys.readouterr().err)


def test_a_progress_bar_obeys_no_markup():
    from types import SimpleNamespace

    from resect.running.progress import watched
    from resect.running.walk import Answered

    spec = SimpleNamespace(id="c", task="t")
    cell = SimpleNamespace(spec=spec, recipe="[/red][bold]x\x1b[2J", level=0.5, missing={0})
    course = SimpleNamespace(cells=[cell], model="m\u202e[/nothing]")
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    events = watched([course], iter([Answered(cell, [None])] * 3), console)
    assert len(list(events)) == 3
    assert "\x1b[2J" not in out.getvalue()
    assert "\u202e" not in out.getvalue()
