"""Hostile text in every field of recorded answers, and whether any surface obeys it.

Page, card, terminal, summary and CSV are made of it, and must have the structure of the same run
with harmless text: no other tag, attribute, address, control character or formula.
"""

from __future__ import annotations

import csv
import functools
import io
import json
import random
import tempfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from resect.recorded import audit, fill
from resect.report.cleaner import hidden
from tools.fuzz.trial import Trial, tried

PAYLOADS = (
    "<script>alert(1)</script>", "</script><script>alert(1)</script>", "<img src=x onerror=a()>",
    "\"><svg onload=alert(1)>", "' onmouseover='alert(1)", "javascript:alert(1)", "<!-- x",
    "]]>", "--><b>", "</style><b>", "</title><b>", "<iframe srcdoc='<b>'>", "<a href=//evil>x</a>",
    "&lt;b&gt;&#x3c;b&#x3e;", "<b", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b2J",
    "\u202egnp.exe\u2066", "\u200b\u200d\ufeff", "\r\x08\x7f", "\U000e0041", "a\u2028b\u2029c",
    "=cmd|'/c calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1+1", "＝1+1", "[bold]x[/bold]",
    "[link=http://evil]x[/link]", "`x` **y** [a](javascript:b) ![c](http://evil/d.png)",
    "# head\n- item\n---\nbase_model: x", "| a | b |", "{{ 7*7 }} {% raw %} ${x} <%= 1 %>",
    "..\\..\\x", "%s%n%x", "x" * 3000, "漢字 עברית 👍", "null", "NaN", "\\u003cscript\\u003e",
)  # fmt: skip
"""What is put into the fields."""

FIELDS = ("model", "recipe", "task", "item", "text", "prompt", "question", "context", "recorded",
          "options", "means", "tags", "label")  # fmt: skip


def rows(where: dict[str, str]) -> list[dict[str, Any]]:
    """Two models at two levels on six questions, with the given text in the given fields."""
    labels = ["yes" + where.get("label", ""), "no"]

    def text(name: str, usual: str) -> str:
        return f"{usual}{where.get(name, '')}"

    return [
        {"model": text("model", model), "role": role, "recipe": text("recipe", "cut"),
         "level": level, "task": text("task", "t"), "item": text("item", f"q{n}"),
         "gold": labels[n % 2], "text": text("text", labels[n % 2] if n < 5 - 4 * level else "?"),
         "labels": labels, "option_scores": [-1.0, -0.5 * n], "choices": [" yes", " no"],
         "options": {labels[0]: text("options", "it is"), "no": "it is not"},
         "tags": {"subject": text("tags", "s")}, "means": {labels[0]: text("means", "w")},
         "prompt": text("prompt", f"p{n}"), "question": text("question", f"q{n}"),
         "context": text("context", "c"), "recorded": labels[0]}
        for model, role in (("m", "specialist"), ("b", "base"))
        for level in (0, 0.5)
        for n in range(6)
    ]  # fmt: skip


class _Structure(HTMLParser):
    """The tags of a page with their attributes, and what could run or be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.scripts = 0
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.scripts += tag in ("script", "style")
        for name, value in attrs:
            self.tags.add(f"{tag} {name}")
            outside = name in ("href", "src", "xlink:href", "action", "srcdoc") and value
            if name.startswith("on") or (outside and not str(value).startswith(("#", "data:"))):
                self.wrong.append(f"{tag} {name}={value!s:.60}")
        self.tags.add(tag)


def made(where: dict[str, str], place: Path) -> Path:
    """The run folder of an audit of such rows, with its exports."""
    from resect.running.folder import Run
    from resect.store.export import export

    path = place / "answers.jsonl"
    lines = (json.dumps(row) + "\n" for row in rows(where))
    path.write_text("".join(lines), encoding="utf-8")
    out = audit(path, place / "run").path
    with Run(out).reading() as store:
        export(store, "csv", out / "csv", lambda _: None)
    return out


def structure(html: str) -> tuple[set[str], int, list[str]]:
    """The tags and attributes of a page, its scripts and styles, and what could act."""
    parser = _Structure()
    parser.feed(html)
    return parser.tags, parser.scripts, parser.wrong


@functools.cache
def harmless() -> tuple[set[str], int]:
    """The structure of the page of the same run with harmless text."""
    with tempfile.TemporaryDirectory() as place:
        html = (made({}, Path(place)) / "report.html").read_text(encoding="utf-8")
    return structure(html)[:2]


def faults(out: Path) -> Iterator[str]:
    """What any surface of a run lets through."""
    from resect.report import terminal
    from resect.running.folder import Run

    html = (out / "report.html").read_text(encoding="utf-8")
    (tags, scripts), (known, usual) = structure(html)[:2], harmless()
    yield from (f"page: <{tag}>" for tag in sorted(tags - known - OPTIONAL))
    yield from (f"page: {act}" for act in structure(html)[2])
    if scripts != usual:
        yield f"page: {scripts} scripts and styles, not {usual}"
    shown = io.StringIO()
    terminal.show(Run(out).findings(), shown)
    texts = {"page": html, "terminal": shown.getvalue()}
    for name in ("card.md", "card.json", "summary.json", "study.yaml"):
        texts[name] = (out / name).read_text(encoding="utf-8") if (out / name).exists() else ""
    for name, text in texts.items():
        odd = {char for char in text if char != "\n" and hidden(char)}
        if odd:
            yield f"{name}: characters {sorted(map(ascii, odd))[:5]}"
    yield from _in_card(texts["card.md"])
    for name in ("card.json", "summary.json"):
        json.loads(texts[name])
    for path in sorted((out / "csv").glob("*.csv")):
        yield from _in_csv(path)


OPTIONAL = {"details", "summary", "b", "ul", "li", "p", "p class"}
"""Tags that a page has or has not, by what there is to say."""


def _in_card(text: str) -> Iterator[str]:
    import re

    for tag in re.findall(r"(?<![\\`])<(?:/?[a-zA-Z!][^>\n]{0,20})", text):
        yield f"card.md: {tag}"
    if re.search(r"(?<!\\)\]\((?:javascript|http://evil)", text):
        yield "card.md: a link"


def _in_csv(path: Path) -> Iterator[str]:
    csv.field_size_limit(1 << 24)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.reader(file):
            for cell in row:
                if cell.lstrip()[:1] in tuple("=+@＝＋－＠") or cell[:1] in ("\t", "\r"):
                    yield f"{path.name}: a cell {cell[:30]!r}"
                if cell[:1] == "-" and not _is_number(cell):
                    yield f"{path.name}: a cell {cell[:30]!r}"


def _is_number(cell: str) -> bool:
    try:
        return bool(float(cell)) or True
    except ValueError:
        return False


def shown(where: dict[str, str]) -> str | None:
    """Make every surface of hostile rows; what they let through, or None."""
    with tempfile.TemporaryDirectory() as place:
        wrong = list(faults(made(where, Path(place))))
    return "; ".join(wrong[:5]) or None


def trials(count: int, seed: int) -> Iterator[Trial]:
    """One payload in all fields, then several payloads in some of them."""
    dice, fill.RESAMPLES = random.Random(seed), 100
    harmless()  # imports are no part of a trial
    for number in range(count):
        if number < len(PAYLOADS):
            where = dict.fromkeys(FIELDS, PAYLOADS[number])
        else:
            chosen = dice.sample(FIELDS, dice.randint(1, len(FIELDS)))
            where = {name: dice.choice(PAYLOADS) for name in chosen}
        kind = "one payload everywhere" if number < len(PAYLOADS) else "mixed"
        yield tried(kind, lambda where=where: shown(where))
