"""What a model says once its reasoning is over: blocks of thought removed from a text."""

from __future__ import annotations

import re

_TAGS = r"think(?:ing)?|thoughts?|reason(?:ing)?|reflection|analysis|scratchpad"
# Each pair opens and closes a block of one family of models.
_FAMILIES: dict[str, tuple[str, str]] = {
    "tag": (rf"<(?:seed:)?(?:{_TAGS})>", rf"</(?:seed:)?(?:{_TAGS})>"),
    "bracket": (r"\[think\]", r"\[/think\]"),
    "kimi": ("◁think▷", "◁/think▷"),
    "cohere": (r"<\|start_thinking\|>", r"<\|end_thinking\|>"),
    "begin": (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    "medgemma": ("<unused94>", "<unused95>"),
    "channel": (r"<\|?channel\|?>\s*(?:analysis|thought|thinking)\b", r"<\|end\|>|<channel\|>"),
}
_MARK = re.compile(
    "|".join(
        rf"(?P<{name}>{start})|(?P<end_{name}>{end})" for name, (start, end) in _FAMILIES.items()
    )
    + r"|(?P<final><\|?channel\|?>\s*final\b(?:\s*<\|message\|>)?)",
    re.IGNORECASE,
)
# Channels whose marks were dropped when the tokens were decoded.
_BARE = re.compile(r"\s*analysis(?=[A-Z])")
_BARE_FINAL = "assistantfinal"


UNFINISHED = (None, "truncated", "reasoning")
"""What every reader makes of a text whose reasoning does not end."""


def spoken(text: str) -> str | None:
    """The text without its reasoning; None where the reasoning does not end.

    A closing mark without an opening one (the prompt held it) ends what stands before it. Blocks
    of one family do not nest, and inside a block the marks of other families mean nothing.
    """
    parts: list[str] = []
    family, start = "", 0
    for mark in _MARK.finditer(text):
        kind = mark.lastgroup or ""
        if kind == "final" or kind == f"end_{family}":
            if kind == "final":
                parts.clear()
            family, start = "", mark.end()
        elif family or kind == "end_channel":
            continue  # inside another block, or the end of a turn
        elif kind.startswith("end_"):
            parts.clear()
            start = mark.end()
        else:
            parts.append(text[start : mark.start()])
            family = kind
    if family:
        return None
    shown = "".join(parts) + text[start:]
    if not _BARE.match(shown):
        return shown
    _, final, answer = shown.rpartition(_BARE_FINAL)
    return answer if final else None
