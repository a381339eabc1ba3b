"""Sweeps split by levels and taken up again: every answer once, whatever the workers do."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lazy import WHEN_RUN
from test_run import TASKS, a_study

import resect
from resect.errors import RequestError, RunError

if WHEN_RUN:
    from resect.running import local_engine as local
    from resect.running import plan, study_run
    from resect.running.resolve import resolve
    from resect.running.share import Taken, split
    from resect.running.walk import Answered, Finished

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sweeps(tiny_pair):
    study = a_study(tiny_pair, levels="0:0.9:0.1")

    class Empty:
        answered = staticmethod(lambda _: set())
        finished = measured = skipped = staticmethod(lambda _: False)

    return plan.due(plan.sweeps(resolve(study)), Empty())


def asked(sweeps) -> list[tuple[str, int]]:
    return sorted(
        (cell.spec.id, row) for sweep in sweeps for cell in sweep.cells for row in cell.missing
    )


@given(workers=st.integers(1, 40))
def test_splitting_asks_everything_once(sweeps, workers):
    parts = split(sweeps, workers)
    assert asked(parts) == asked(sweeps)
    assert len(parts) == max(2, min(workers, 20))  # two models, ten levels
    for part in parts:
        levels = [cell.level for cell in part.cells]
        assert levels == sorted(levels)


def test_splitting_is_even(sweeps):
    sizes = [sum(len(c.missing) for c in part.cells) for part in split(sweeps, 4)]
    assert max(sizes) <= 1.6 * min(sizes)


def test_what_is_left_is_what_was_not_passed_on(sweeps):
    taken = Taken(sweeps[0])
    first, second = taken.sweep.cells[:2]

    class Event:
        cell, answers = second, [type("A", (), {"item": second.items[0].key})]

    taken.note(Finished(first.result(taken.sweep, "success", None, 1.0)))
    taken.note(Answered(Event.cell, Event.answers))
    left = taken.rest()
    assert first.spec.id not in {cell.spec.id for cell in left.sweep.cells}
    assert left.sweep.cells[0].missing == second.missing - {0}
    with pytest.raises(RunError, match="ended 3 times"):
        left.rest().rest()


def test_a_sweep_that_is_done_leaves_nothing(sweeps):
    taken = Taken(sweeps[0])
    for cell in sweeps[0].cells:
        taken.note(Finished(cell.result(sweeps[0], "success", None, 1.0)))
    assert taken.rest() is None


@pytest.fixture(scope="module")
def whole(tiny_pair, tmp_path_factory):
    study = a_study(tiny_pair, tasks=TASKS[:1])
    return resect.run(study, tmp_path_factory.mktemp("whole") / "run")


def test_a_killed_process_is_replaced_and_changes_nothing(whole, tiny_pair, tmp_path, monkeypatch):
    class DiesOnce(local._Worker):
        """The first process is killed when its first event has come."""

        died = False

        def _read(self):
            put = self.news.put

            class Said:
                @staticmethod
                def put(what):
                    put(what)
                    if what[1] == "event" and not DiesOnce.died:
                        DiesOnce.died = True
                        self.process.kill()

            self.news = Said()
            super()._read()

    monkeypatch.setattr(local, "_Worker", DiesOnce)
    study = a_study(tiny_pair, tasks=TASKS[:1])
    run = resect.run(study, tmp_path / "run", workers=3)
    assert DiesOnce.died
    assert resect.same_summary(run.path, whole.path)


class TestRay:
    @pytest.fixture(autouse=True)
    def ended(self):
        yield
        import ray

        ray.shutdown()

    def test_two_workers_give_the_same_summary_though_one_is_killed(
        self, whole, tiny_pair, tmp_path
    ):
        killed, notices = [], []

        def watch(planned, events):
            for event in events:
                yield event
                if not killed and isinstance(event, Answered):
                    assert open_to_others() == []
                    killed.append(kill_a_worker())

        run = resect.run(
            a_study(tiny_pair, tasks=TASKS[:1]), tmp_path / "killed",
            engine="ray", workers=2, watch=watch, notice=notices.append,
        )  # fmt: skip
        assert killed
        assert any("a worker ended" in text for text in notices)
        assert resect.same_summary(run.path, whole.path)

    def test_a_sweep_that_fails_says_why(self, tiny_pair, tmp_path):
        from dataclasses import replace

        study = a_study(tiny_pair, tasks=TASKS[:1], levels="0,0.5")
        resolved = resolve(study)
        broken = [
            replace(c, ref=c.ref.model_copy(update={"id": str(tmp_path / "gone")}))
            for c in plan.sweeps(resolved)
        ]
        engine = study_run.engine_of("ray", lambda _: None, 2)
        engine.submit(broken)
        with pytest.raises(RequestError, match="no model directory"):
            list(engine.events())


def test_no_cluster_and_no_workers_are_one_sentence():
    with pytest.raises(RequestError, match="give at least 1"):
        study_run.engine_of("local", lambda _: None, 0)
    with pytest.raises(RequestError, match="did you mean ray"):
        study_run.engine_of("rya", lambda _: None)


def open_to_others() -> list[str]:
    """Where this process and its children listen for more than this machine."""
    import psutil

    places = []
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        for connection in process.net_connections("tcp"):
            address = connection.laddr.ip.removeprefix("::ffff:")
            if connection.status == psutil.CONN_LISTEN and address not in ("127.0.0.1", "::1"):
                places.append(f"{process.name()} on {connection.laddr}")
    return places


def kill_a_worker() -> int:
    """Kill one process that runs an actor, as a machine that goes away would."""
    import psutil

    for process in psutil.Process().children(recursive=True):
        if "_Worker" in process.name() or any("_Worker" in part for part in process.cmdline()):
            os.kill(process.pid, signal.SIGKILL)
            return process.pid
    raise AssertionError("no actor found")
