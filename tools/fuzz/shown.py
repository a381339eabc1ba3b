"""Hostile text in a real browser and a real terminal: the page, the view and the printed findings.

Chromium opens the page and the pages of the view; tmux, a terminal of its own, shows what is
printed. Nothing may run, be fetched, or steer the terminal, and its lines must be those printed.
Trial by trial each field has another payload, so that as many trials as payloads try every pair.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.fuzz import surfaces
from tools.fuzz.trial import Trial, tried

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "view"))

WATCH = (
    "window.alert = window.a = () => { document.documentElement.dataset.pwned = 'yes' };"
    "addEventListener('securitypolicyviolation', event => {"
    " document.documentElement.dataset.pwned = event.violatedDirective })"
)
"""Put into each page before its own scripts: what a payload calls, and what the policy stopped."""

ACTS = """[...document.querySelectorAll('*')].flatMap(tag => [...tag.attributes].map(one =>
    [tag.localName, one.name, one.value])).filter(([tag, name, value]) => name.startsWith('on') ||
    (['href', 'src', 'action', 'srcdoc'].includes(name) &&
    /^\\s*(javascript:|data:text|([a-z]+:)?\\/\\/[^/]*evil)/i
    .test(value)) || ['iframe', 'object', 'embed'].includes(tag)).map(String)"""
"""Attributes and tags of a page that could act."""

TITLE = "resect-title"
LONGEST = 20_000
"""Lines that the terminal keeps."""


def where(number: int) -> dict[str, str]:
    """Which payload stands in which field in a trial."""
    return {
        field: surfaces.PAYLOADS[(number + 3 * place) % len(surfaces.PAYLOADS)]
        for place, field in enumerate(surfaces.FIELDS)
    }


def in_browser(tab: Any, address: str, name: str) -> Iterator[str]:
    """What a page lets a payload do."""
    tab.problems.clear()
    tab.open(address)
    if tab.value("document.documentElement.dataset.pwned") is not None:
        yield f"{name}: {tab.value('document.documentElement.dataset.pwned')} ran or was stopped"
    yield from (f"{name}: {act}" for act in tab.value(ACTS)[:3])
    yield from (f"{name}: {problem}" for problem in tab.problems[:3])
    outside = tab.value(
        "performance.getEntriesByType('resource').map(one => one.name).filter(name => "
        "!name.startsWith(location.origin) && !name.startsWith('data:') && "
        "!name.startsWith('blob:') && location.protocol !== 'file:' || /evil/.test(name))"
    )
    yield from (f"{name}: {other} was fetched" for other in outside)


def _tmux(place: Path, *words: str) -> str:
    """One command of the terminal server of a folder."""
    command = ["tmux", "-u", "-S", str(place / "tmux"), "-f", os.devnull, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def in_terminal(text: str, place: Path) -> Iterator[str]:
    """What a printed text does to a terminal."""
    path, done = place / "printed.txt", place / "done"
    path.write_text(text, encoding="utf-8")
    script = f"printf '\\033]2;{TITLE}\\007'; cat {path}; touch {done}; sleep 60"
    environment = ["-e", "LC_ALL=C.UTF-8"]
    options = ["set", "-g", "history-limit", str(LONGEST), ";"]
    window = ["new-session", "-d", "-s", "t", "-x", "250", "-y", "50", *environment, script]
    _tmux(place, "start-server", ";", *options, *window)
    try:
        ends = time.monotonic() + 60
        while not done.exists() and time.monotonic() < ends:
            time.sleep(0.05)
        time.sleep(0.3)  # for the terminal to draw what it was sent
        shown = _tmux(place, "capture-pane", "-t", "t", "-p", "-S", f"-{LONGEST}")
        state = _tmux(place, "display-message", "-t", "t", "-p", "#{pane_title}|#{alternate_on}|"
                     "#{mouse_any_flag}|#{pane_in_mode}|#{insert_flag}|#{origin_flag}")  # fmt: skip
        buffers = _tmux(place, "list-buffers")
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            _tmux(place, "kill-server")
    if state.strip() != f"{TITLE}|0|0|0|0|0":
        yield f"terminal: its state is {state.strip()}"
    if buffers.strip():
        yield f"terminal: its clipboard holds {buffers.strip():.60}"
    if _letters(shown) != _letters(text):
        yield f"terminal: it shows other lines: {_first_difference(shown, text)}"


def _letters(text: str) -> str:
    """The printable ASCII of a text: how wide other characters are is the terminal's own choice."""
    return re.sub(r"[^!-~]", "", text)


def _first_difference(shown: str, text: str) -> str:
    one, two = _letters(shown), _letters(text)
    place = next((n for n, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), 0)
    return f"{one[place : place + 60]!r}, not {two[place : place + 60]!r}"


@functools.cache
def _browser() -> Any:
    """A tab of a browser that ends with this process."""
    import atexit

    browser = __import__("browser")
    opened = contextlib.ExitStack()
    atexit.register(opened.close)
    tab = opened.enter_context(browser.tab())
    tab._call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
    return tab


def shown(fields: dict[str, str]) -> str | None:
    """Make a run of hostile rows and look at all its surfaces; what they let through, or None."""
    from resect.report import terminal
    from resect.running.folder import Run

    viewed, tab = __import__("viewed"), _browser()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        out = surfaces.made(fields, place)
        wrong = list(in_browser(tab, (out / "report.html").as_uri(), "page"))
        with viewed.serving(out) as address:
            wrong += in_browser(tab, address, "view")
            wrong += in_browser(tab, f"{address}answers", "answers")
            first = tab.value("document.querySelector('.rows .row')?.href")
            wrong += in_browser(tab, first, "item") if first else ["answers: no row"]
        printed = io.StringIO()
        terminal.show(Run(out).findings(), printed)
        wrong += in_terminal(printed.getvalue(), place)
    return "; ".join(wrong[:5]) or None


def trials(count: int, seed: int) -> Iterator[Trial]:
    """Every payload in every field, one shift a trial."""
    from resect.recorded import fill

    fill.RESAMPLES = 100
    for number in range(seed, seed + count):
        fields = where(number)
        yield tried("page, view and terminal", lambda fields=fields: shown(fields))
