"""Hostile text in every field: page, card, terminal, summary and CSV keep their structure."""

from __future__ import annotations

import pytest
from lazy import WHEN_RUN

if WHEN_RUN:
    from tools.fuzz import surfaces

    from resect.recorded import fill

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(fill, "RESAMPLES", 100)


@pytest.mark.parametrize("start", range(3))
def test_every_payload_in_every_field(start):
    """Every third payload at once, each field with another."""
    chosen = surfaces.PAYLOADS[start::3]
    where = {name: chosen[n % len(chosen)] for n, name in enumerate(surfaces.FIELDS)}
    trial = surfaces.tried("mixed", lambda: surfaces.shown(where))
    assert trial.outcome in ("read", "sentence"), trial


def test_the_check_sees_what_gets_through():
    """A page with a script more, a handler or an address outside would be told."""
    page = "<p onclick='a()'><script>x</script><img src='http://evil/x.png'>"
    tags, scripts, wrong = surfaces.structure(page)
    assert {"script", "img src"} <= tags
    assert scripts == 1
    assert len(wrong) == 2
