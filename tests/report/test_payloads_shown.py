"""Hostile text in a real browser and a real terminal. Needs chromium and tmux."""

from __future__ import annotations

import shutil

import pytest
from lazy import WHEN_RUN

if WHEN_RUN:
    from tools.fuzz import shown

    from resect.recorded import fill

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(
        not (shutil.which("chromium") or shutil.which("chromium-browser")),
        reason="chromium is not installed",
    ),
    pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed"),
]


def test_nothing_is_obeyed(monkeypatch):
    monkeypatch.setattr(fill, "RESAMPLES", 100)
    trials = [shown.tried("x", lambda n=n: shown.shown(shown.where(n))) for n in (0, 14, 28)]
    assert [trial for trial in trials if trial.failed] == []
    assert "read" in {trial.outcome for trial in trials}


@pytest.mark.parametrize(
    "text", ["a\x1b]2;other\x07b", "a\x1b[2Jb", "a\x1b[?1049hb", "ab\rc", "\x1b[5Aabc"]
)
def test_a_terminal_that_is_steered_is_seen(text, tmp_path):
    assert list(shown.in_terminal(f"one\ntwo\n{text}\nthree\n", tmp_path))


def test_a_page_that_acts_is_seen(tmp_path):
    page = "<html data-ready=yes><body><img src=x onerror='a()'><p>x</p>"
    (tmp_path / "p.html").write_text(page)
    assert list(shown.in_browser(shown._browser(), (tmp_path / "p.html").as_uri(), "page"))
