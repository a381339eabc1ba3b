"""Raw text to a program: the continuation of a prompt, a fenced block, or a whole function."""

from __future__ import annotations

import re

from resect.parse.reasoning import spoken

_FENCE = re.compile(r"```[ \t]*(?:python|py)?[ \t]*\n(.*?)(?:\n```|\Z)", re.DOTALL | re.IGNORECASE)
_ENDS = re.compile(r"\n(?:```|\[DONE\]|</?code>)")
LONGEST = 20_000


def program(text: str, start: str, name: str) -> tuple[str | None, str]:
    """(program or None, tier). `start` is code that the text goes on from, `name` its function.

    `continued`: the text after `start`; `fenced`: a fenced block, after `start` unless it defines
    the function itself, then after what stands before it there (imports); `whole`: the text
    defines the function itself. Any text in, never an exception.
    """
    answer = spoken(text)
    if answer is None:
        return None, "reasoning"
    shown = answer[:LONGEST]
    fence = _FENCE.search(shown)
    if fence and shown.count("```") == 1 and re.search(r"^[ \t]+\S", shown[: fence.start()], re.M):
        fence = None  # it closes what was begun in the prompt
    body = fence.group(1) if fence else _ENDS.split(shown)[0]
    if not body.strip():
        return None, "empty"
    tier = "fenced" if fence else "continued"
    if name and re.search(rf"^\s*def\s+{re.escape(name)}\s*\(", body, re.MULTILINE):
        before = re.split(rf"^def\s+{re.escape(name)}\s*\(", start, flags=re.MULTILINE)[0]
        return f"{before}\n{_flush(body)}\n", "fenced" if fence else "whole"
    if not start:
        return f"{_flush(body)}\n", tier
    gap = "" if body.startswith("\n") else "\n"
    return f"{start}{gap}{body}\n", tier


def _flush(body: str) -> str:
    """The block without the indentation that all of it shares with its first line."""
    lines = body.strip("\n").split("\n")
    margin = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[margin:] if not line[:margin].strip() else line for line in lines)
