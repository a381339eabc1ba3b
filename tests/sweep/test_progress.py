"""What a run shows while it goes on: lines by the clock where there is no terminal."""

from __future__ import annotations

import io
import re
import time
from itertools import pairwise

import pytest
from lazy import WHEN_RUN
from rich.console import Console
from test_run import a_study

from resect.running.pace import FILE, Pace, read

if WHEN_RUN:
    import resect
    from resect.running.progress import watched


def test_the_time_left_is_from_the_rate_over_the_whole_run():
    pace = Pace(answers=1000, cells=10, started=0, now=2)
    assert pace.rate is None
    assert pace.line() == "loading: 0 of 10 cells, 0 of 1,000 answers, 2 s so far"
    pace.done, pace.ended, pace.now, pace.where = 100, 1, 50, "base, magnitude 0.3, medqa"
    assert pace.line() == (
        "base, magnitude 0.3, medqa: 1 of 10 cells, 100 of 1,000 answers, 2 answers a second, "
        "about 8 min left"
    )
    left = []
    for seconds in range(50, 500):  # a burst after a pause: no jump back and forth
        pace.now, pace.done = seconds, 100 + 2 * (seconds - 50) + (40 if seconds > 200 else 0)
        left.append(pace.left)
    rises = [b - a for a, b in pairwise(left) if b > a]
    assert not rises or max(rises) < 5


@pytest.mark.slow
def test_a_run_without_a_terminal_says_how_far_it_is(tiny_pair, tmp_path):
    printed, seen = io.StringIO(), []
    console = Console(file=printed, width=80)

    def watch(planned, events):
        for event in watched(planned, slowly(events), console, tmp_path / "run", every=0.05):
            seen.append(read(tmp_path / "run"))
            yield event

    def slowly(events):
        for event in events:
            time.sleep(0.3)
            yield event

    resect.run(
        a_study(tiny_pair, tasks=["clinic-context"], levels="0,0.5"), tmp_path / "run", watch=watch
    )
    lines = printed.getvalue().splitlines()
    assert re.fullmatch(r"loading: 0 of 4 cells, 0 of \d+ answers, \d s so far", lines[0])
    assert re.fullmatch(
        r"\w+, magnitude 0.5, clinic-context: [34] of 4 cells, (\d+) of \1 answers, .*", lines[-1]
    )
    assert len(lines) > 5
    assert any(pace is not None and pace.cells == 4 for pace in seen)
    assert not (tmp_path / "run" / FILE).exists()
