"""Programs in texts: continuations, fenced blocks, whole functions."""

import pytest

from resect.parse.code import program

START = 'from typing import List\n\n\ndef add(a, b):\n    """Add."""'
BODY = "    return a + b"


@pytest.mark.parametrize(
    ("text", "tier"),
    [
        (f"\n{BODY}\n", "continued"),
        (BODY, "continued"),
        (f"\n{BODY}\n```\nThis adds.", "continued"),
        (f"Sure:\n```python\ndef add(a, b):\n{BODY}\n```\nDone.", "fenced"),
        (f"```\ndef add(a, b):\n{BODY}", "fenced"),
        (f"```python\n{BODY}\n```", "fenced"),
        (f"\ndef add(a, b):\n{BODY}\n", "whole"),
        (f"  def add(a, b):\n  {BODY}\n", "whole"),
    ],
)
def test_golden(text, tier):
    found, how = program(text, START, "add")
    assert how == tier
    names = {}
    exec(found, names)
    assert names["add"](2, 3) == 5
    assert "List" in names  # what stands before the function stays


def test_without_a_start_the_text_is_the_program():
    assert program("\nx = 1\n[DONE]\nmore", "", "")[0] == "x = 1\n"
    assert program(" \n ", "", "") == (None, "empty")
