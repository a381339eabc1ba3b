"""The token budget of a study: what a cell is named by, and a run whose memory ends."""

from __future__ import annotations

import pandas as pd
import pytest
from lazy import WHEN_RUN

import resect
from resect.errors import RequestError

if WHEN_RUN:
    from resect.ask import first_budget
    from resect.ask.kv_cache import Rows
    from resect.running import plan
    from resect.running.resolve import resolve


def a_study(pair, **fields) -> resect.Study:
    given = {
        "models": {"specialist": str(pair[0]), "base": str(pair[1])},
        "recipes": ["magnitude"],
        "levels": "0,0.5",
        "tasks": ["clinic-medicine", "clinic-context"],
        "limit": 12,
        "resamples": 200,
    }
    return resect.Study.of(**{**given, **fields})


def ids(study: resect.Study) -> list[str]:
    return [cell.spec.id for sweep in plan.sweeps(resolve(study)) for cell in sweep.cells]


def test_a_cell_is_named_by_the_budget_that_was_asked_for(tiny_pair):
    """Left out, it is the device's own, whatever memory allows; another one is another cell."""
    left_out = a_study(tiny_pair)
    assert ids(left_out) == ids(a_study(tiny_pair, batch_tokens=first_budget("cpu")))
    assert not set(ids(left_out)) & set(ids(a_study(tiny_pair, batch_tokens=300)))
    with pytest.raises(RequestError, match="batch_tokens is 0: give 1 or more"):
        a_study(tiny_pair, batch_tokens=0)


def test_a_run_goes_on_with_smaller_batches_where_memory_ends(tiny_pair, tmp_path, monkeypatch):
    """Said once a sweep, and the answers are those of a run that asked for the smaller batches."""
    plain, said = Rows.read, []

    def scarce(self, token_ids, *more, **named):
        if token_ids.numel() > 700:
            raise MemoryError
        return plain(self, token_ids, *more, **named)

    small = resect.run(a_study(tiny_pair, batch_tokens=600), tmp_path / "small")
    monkeypatch.setattr(Rows, "read", scarce)
    run = resect.run(a_study(tiny_pair, batch_tokens=2400), tmp_path / "run", notice=said.append)
    sentences = [
        f"memory ran out: batches of at most {n} tokens from here on." for n in (1200, 600)
    ]
    assert said == sentences * 2
    columns = ["model", "level", "task", "item_id", "text", "chosen", "option_scores"]
    pd.testing.assert_frame_equal(run.answers()[columns], small.answers()[columns])
    with run.reading() as store:
        assert set(store.cells()["status"]) == {"success"}
