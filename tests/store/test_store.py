"""What every store must keep, and the schema from its first version on."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from resect.errors import RequestError
from resect.record import Answer, CellResult, Item, Measurement, RawAnswer, Reading, TaskInfo
from resect.store.migrations import MIGRATIONS, migrate
from resect.store.sqlite import Store

ITEMS = [
    Item(id=f"t/{n}", prompt=f"q{n}", gold="yes", labels=("yes", "no"), tags={"n": str(n)})
    for n in range(3)
]
INFO = TaskInfo("t", "label", ("yes", "no"), "a task", "how it is asked", 5)
CELL = CellResult(
    cell="c", asking="a", state="s", model="m", role="base", recipe="none", level=0.0, seed=0,
    task="t", status="success", reason=None, items=tuple(i.key for i in ITEMS), spec={"items": []},
)  # fmt: skip


def answer(number: int, text: str = "yes", asking: str = "a") -> Answer:
    raw = RawAnswer(text, "eos", 1, (-0.25, -1.5))
    return Answer(
        asking, ITEMS[number].key, raw, Reading("yes", "answer", "leading", 1.0), "v1", "no"
    )


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "results.sqlite") as made:
        made.put_study([{"name": "m"}], {"t": INFO}, {"t": ITEMS}, [CELL], {"study": {"name": "x"}})
        yield made


def test_round_trip(store):
    store.put_answers([answer(0, "<b>\x00\u202e€"), answer(1), answer(2)])
    store.put_cell(CELL)
    frame = store.answers()
    assert list(frame["item_id"]) == ["t/0", "t/1", "t/2"]
    assert frame["text"][0] == "<b>\x00\u202e€"
    assert frame["option_scores"][0] == (-0.25, -1.5)
    assert frame["tags"][2] == {"n": "2"}
    assert store.tasks() == {"t": INFO}
    assert store.facts()["study"] == {"name": "x"}
    assert store.answered("a") == {i.key for i in ITEMS}
    assert store.answered("b") == set()


def test_a_cell_counts_when_it_ended_well(store):
    assert not store.finished("c")
    assert list(store.cells()["status"]) == ["missing"]
    store.put_cell(replace(CELL, status="failed", reason="out of memory"))
    assert not store.finished("c")
    store.put_cell(replace(CELL, status="degraded", reason="cut"))
    assert store.finished("c")
    assert list(store.cells()["reason"]) == ["cut"]


def test_a_batch_is_all_or_nothing(store):
    bad = replace(answer(1), reading=Reading("yes", None, "leading", 1.0))
    with pytest.raises(sqlite3.IntegrityError):
        store.put_answers([answer(0), bad])
    assert store.answered("a") == set()


def test_an_answer_is_replaced_not_doubled(store):
    store.put_answers([answer(0)])
    store.put_answers([answer(0, "no")])
    store.put_cell(CELL)
    assert list(store.answers()["text"]) == ["no"]


def test_answers_outside_the_plan_stay_but_are_not_read(store):
    store.put_answers([answer(0)])
    store.put_cell(CELL)
    store.put_study([{"name": "m"}], {"t": INFO}, {"t": ITEMS[:2]}, [], {})
    assert store.answers().empty
    assert store.answered("a") == {ITEMS[0].key}


def test_measurements(store):
    measured = Measurement(
        state="s", measured_level=0.0,
        parameters=10, zeros=0, targeted=8, bytes_in_memory=40, bits_per_weight=32.0,
    )  # fmt: skip
    assert not store.measured("s")
    store.put_measurement(measured)
    store.put_cell(CELL)
    assert store.measured("s")
    assert store.measurements()[0]["parameters"] == 10


def test_every_seed_has_the_measurements_of_its_own_state(store):
    """Two seeds of one recipe and level are two states; a state of two tasks is one row."""
    cut = replace(CELL, recipe="random", level=0.5)
    plan = [
        CELL,
        *(replace(cut, seed=n, state=f"s{n}", cell=f"{n}{t}") for n in (0, 1) for t in "ab"),
    ]
    store.put_study([{"name": "m"}], {"t": INFO}, {"t": ITEMS}, plan, {})
    for state, size in (("s", 40), ("s0", 30), ("s1", 31)):
        store.put_measurement(
            Measurement(
                state=state, measured_level=0.0, parameters=10, zeros=0, targeted=8,
                bytes_in_memory=size, bits_per_weight=32.0,
            )
        )  # fmt: skip
    keys = ("recipe", "seed", "level", "bytes_in_memory")
    assert [tuple(row[key] for key in keys) for row in store.measurements()] == [
        ("none", 0, 0.0, 40), ("random", 0, 0.5, 30), ("random", 1, 0.5, 31),
    ]  # fmt: skip


@pytest.mark.parametrize("first", range(len(MIGRATIONS) + 1))
def test_every_earlier_schema_becomes_the_newest(first, tmp_path):
    path = tmp_path / "results.sqlite"
    with sqlite3.connect(path) as db:
        for number, step in enumerate(MIGRATIONS[:first], start=1):
            for statement in step:
                if callable(statement):
                    statement(db)
                    continue
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number}")
            db.commit()
        migrate(db)
        assert db.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)


def test_parts_travel_with_an_answer(store):
    whole = replace(answer(0), reading=Reading("x", "answer", "listed", 0.5, {"said": 2.0}))
    store.put_answers([whole, answer(1)])
    store.put_cell(CELL)
    assert list(store.answers()["parts"]) == [{"said": 2.0}, None]


def test_a_run_of_an_earlier_schema_can_be_read(tmp_path):
    path = tmp_path / "results.sqlite"
    with sqlite3.connect(path) as db:
        for statement in MIGRATIONS[0]:
            db.execute(statement)
        db.execute("PRAGMA user_version = 1")
    db.close()
    with Store(path, write=False) as store:
        assert list(store.answers()["parts"]) == []


def test_a_newer_schema_is_refused(tmp_path):
    with Store(tmp_path / "results.sqlite") as made:
        made.db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(RequestError, match="newer resect"):
        Store(tmp_path / "results.sqlite", write=False)
    with pytest.raises(RequestError, match="newer resect"):
        Store(tmp_path / "results.sqlite")


def test_a_step_that_is_cut_off_leaves_a_whole_schema(tmp_path):
    """A process killed inside a migration can go on: statements and number are one transaction."""

    class Cut(sqlite3.Connection):
        def execute(self, statement, *rest):
            if "facts" in statement:
                raise KeyboardInterrupt
            return super().execute(statement, *rest)

    path = tmp_path / "results.sqlite"
    db = sqlite3.connect(path, factory=Cut)
    with pytest.raises(KeyboardInterrupt):
        migrate(db)
    db.close()
    with Store(path) as made:
        assert made.facts() == {}


def test_one_cell_may_stand_in_two_places(store):
    """The same weights as specialist and base: asked once, shown twice."""
    both = [CELL, replace(CELL, model="n", role="specialist")]
    store.put_study([{"name": "m"}, {"name": "n"}], {"t": INFO}, {"t": ITEMS}, both, {})
    store.put_answers([answer(0), answer(1), answer(2)])
    store.put_cell(CELL)
    assert list(store.answers()["model"]) == ["m"] * 3 + ["n"] * 3
    assert list(store.cells()["status"]) == ["success", "success"]


def test_a_finished_run_is_one_plain_file(tmp_path):
    with Store(tmp_path / "results.sqlite") as made:
        made.put_study([], {}, {}, [], {})
    with Store(tmp_path / "results.sqlite", write=False) as made:
        made.facts()
    assert [path.name for path in tmp_path.iterdir()] == ["results.sqlite"]
