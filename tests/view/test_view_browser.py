"""The view in a browser: filters, an item, keys, a study that runs, hostile text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, Tab, tab
from viewed import end, filled, serving

from resect.running.pace import Pace
from resect.store.lock import exclusive
from resect.store.sqlite import Store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("run")
    filled(place)
    with serving(place) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    with tab() as opened:
        yield opened


def test_filters_act_at_once_and_stand_in_the_address(browser: Tab, site: str) -> None:
    browser.open(f"{site}answers")
    assert browser.value("document.getElementById('total').textContent") == "1\u202f200 answers"
    for name, value, total in (("flip", "lost", "640"), ("model", "base", "320")):
        browser.value("document.documentElement.dataset.ready = 'old'")
        browser.value(
            f"const s = document.querySelector('[name={name}]'); s.value = '{value}';"
            "s.dispatchEvent(new Event('change', {bubbles: true}))"
            if name == "flip"
            else f"document.querySelector('[name={name}]').value = '{value}';"
            f"document.querySelector('[name={name}]').dispatchEvent("
            "new Event('change', {bubbles: true}))"
        )
        browser.ready()
        assert browser.value("document.getElementById('total').textContent") == f"{total} answers"
    assert browser.value("location.search") == "?model=base&flip=lost"


def test_keys_open_an_item_and_go_on(browser: Tab, site: str) -> None:
    browser.open(f"{site}answers?level=0.3&flip=lost&model=base")
    for key in ("j", "j", "k", "j"):
        browser.press(key)
    second = browser.value("document.querySelectorAll('.rows .row')[1].href")
    assert browser.value("document.activeElement.href") == second
    browser.value("document.documentElement.dataset.ready = 'old'")
    browser.press("Enter")
    browser.ready()
    assert browser.value("location.href") == second
    assert browser.value("document.querySelectorAll('.level').length") == 3
    target = browser.value("document.querySelector('.level:target h3').textContent")
    assert target == "30 %"
    assert browser.value("getComputedStyle(document.querySelector('.level')).display") == "grid"
    name = browser.value("document.querySelector('h1').textContent")
    browser.value("document.documentElement.dataset.ready = 'old'")
    browser.press("n")
    browser.ready()
    assert browser.value("document.querySelector('h1').textContent") != name


def test_hostile_text_stays_text(browser: Tab, site: str) -> None:
    for place in ("", "answers?level=0.3"):
        browser.open(f"{site}{place}")
        assert browser.value("document.body.dataset.pwned") is None
    browser.open(browser.value("document.querySelector('.rows .row').href"))
    assert browser.value("document.body.dataset.pwned") is None
    assert browser.value("document.getElementById('injected')") is None
    assert "<script>document.body" in browser.value("document.querySelector('pre').textContent")
    assert browser.problems == []


def test_a_phone_needs_no_sideways_scrolling(browser: Tab, site: str) -> None:
    browser.size(390, 800)
    browser.open(f"{site}answers?flip=lost")
    item = browser.value("document.querySelector('.rows .row').href")
    for address in (f"{site}answers?flip=lost", site, item):
        browser.open(address)
        wide = "document.documentElement.scrollWidth"
        assert browser.value(wide) <= 390, address
    browser.size(1280, 900)


def test_the_first_page_follows_a_study(browser: Tab, tmp_path: Path) -> None:
    plan = filled(tmp_path, ended=6)
    with (
        serving(tmp_path) as address,
        exclusive(tmp_path),
        Store(tmp_path / "results.sqlite") as store,
    ):
        items = store.items()
        Pace(840, 14, where="base, magnitude 0.6, parity", started=0, now=2).write(tmp_path)
        browser.open(address)
        head = "document.querySelector('h1').textContent"
        assert browser.value(head) == "Running: 6 of 20 cells, 360 answers"
        curves = browser.value("document.querySelectorAll('svg .solid, svg circle').length")
        for number, cell in enumerate(plan[6:9], start=1):
            end(store, cell, [items[key] for key in cell.items])
            done = 60 * number
            Pace(840, 14, done, number, "base, parity", started=0, now=60).write(tmp_path)
            browser.until(f"{head} === 'Running: {6 + number} of 20 cells, {360 + done} answers'")
        browser.until("document.querySelector('.lede').textContent.includes('3 answers a second')")
        assert browser.value("document.querySelectorAll('svg .solid, svg circle').length") > curves
        assert "left" in browser.value("document.querySelector('.lede').textContent")
