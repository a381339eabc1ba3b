"""Bits that flip and files that are cut short: the same findings, or one sentence."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import sqlite3
import threading
from collections import Counter
from pathlib import Path

import pytest

from resect.errors import RequestError
from resect.running.folder import Run
from resect.store import checksums, lock, log
from resect.store.health import Damaged
from resect.store.migrations import MIGRATIONS
from resect.store.sqlite import Store

spec = importlib.util.spec_from_file_location(
    "fuzz_store", Path(__file__).parents[2] / "tools" / "fuzz" / "store.py"
)
fuzz = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fuzz)

FILE = "results.sqlite"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return fuzz.filled(tmp_path_factory.mktemp("finished"), items=12, levels=2)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run that `kill -9` ended, its last writes in the log."""
    place = tmp_path_factory.mktemp("live")
    return fuzz.unfinished(place, tmp_path_factory.mktemp("killed"), items=12, levels=2)


@pytest.fixture
def copy(finished, tmp_path):
    shutil.copyfile(finished / FILE, tmp_path / FILE)
    return tmp_path


def change(folder: Path, statement: str) -> None:
    """Alter a row behind the store's back, as a bit that flips does."""
    with contextlib.closing(sqlite3.connect(folder / FILE)) as db, db:
        assert db.execute(statement).rowcount


@pytest.mark.parametrize(
    ("run", "ending", "flips", "cuts"),
    [
        ("finished", "", 60, 30),
        ("killed", "", 12, 6),
        ("killed", "-wal", 30, 10),
        ("killed", "-shm", 6, 3),
    ],
)
def test_damage_is_the_same_or_a_sentence(run, ending, flips, cuts, request):
    source = request.getfixturevalue(run)
    found = list(fuzz.trials(source, flips, cuts, seed=17, file=FILE + ending))
    assert len(found) == flips + cuts
    failed = [t for t in found if {"silent", "traceback"} & {t.reading, t.writing}]
    assert failed == []
    count = Counter(trial.reading for trial in found)
    if ending != "-shm":  # SQLite makes it anew
        assert count["sentence"] > len(found) / 10  # the trials do damage something


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        (
            "UPDATE answers SET text = 'no' WHERE rowid IN () OR (asking, item) IN "
            "(SELECT asking, item FROM answers WHERE asking = 'a:special/0.1/dose' LIMIT 1)",
            "1 of 8 cells: special, magnitude 0.1, dose)",
        ),
        ("UPDATE cells SET status = 'success' WHERE id = 'c:general/0.1/triage'", "nothing"),
        ("UPDATE cells SET reason = 'x' WHERE id = 'c:general/0.0/triage'",
         "1 of 8 cells: general, intact, triage; results of cells)"),
        ("DELETE FROM answers WHERE asking = 'a:special/0.0/dose'", "special, intact, dose)"),
        ("UPDATE items SET gold = 'yes' WHERE gold = 'no'", "(items)"),
        ("UPDATE tasks SET info = replace(info, '0.05', '0.15')", "(tasks)"),
        ("UPDATE models SET info = replace(info, 'base', 'bass')", "(models)"),
        ("UPDATE facts SET value = '[\"v\"]' WHERE name = 'warnings'", "description of the study)"),
        ("UPDATE plan SET level = 0.2 WHERE position = 4", "(the plan)"),
        ("UPDATE measurements SET info = replace(info, '1000', '1001')", "(measurements)"),
        ("UPDATE judgements SET score = 1", "(judgements)"),
        ("DELETE FROM item_sets WHERE position = 0", "(lists of items)"),
        ("UPDATE answers SET checksum = NULL WHERE asking = 'a:special/0.0/dose'", "special, in"),
    ],
)  # fmt: skip
def test_whatever_findings_read_is_watched(statement, sentence, copy):
    statement = statement.replace("rowid IN () OR ", "")
    change(copy, statement)
    if sentence == "nothing":  # it was so before
        Store(copy / FILE, write=False).db.close()
        return
    with pytest.raises(Damaged) as raised:
        Store(copy / FILE, write=False)
    assert sentence in str(raised.value)
    assert f"resect run {copy}/study.yaml --out {copy}" in str(raised.value)
    assert str(raised.value).count(". ") == 0


def test_a_damaged_store_goes_on_with_what_is_whole(copy, finished):
    whole = fuzz.rows_of(finished)
    one = "asking = 'a:special/0.0/dose'"
    change(
        copy,
        f"UPDATE answers SET text = 'no' WHERE {one} "
        f"AND item = (SELECT min(item) FROM answers WHERE {one})",
    )
    said = []
    with Run(copy).writing(said.append) as store:
        assert len(store.answered("a:special/0.0/dose")) == 11
        assert store.finished("c:special/0.0/dose")
    assert "special, intact, dose" in said[0]
    mended = fuzz.rows_of(copy)
    assert {name: len(rows - mended[name]) for name, rows in whole.items() if rows - mended[name]}
    assert not any(rows - whole[name] for name, rows in mended.items())
    assert sorted(path.name for path in copy.iterdir()) == [
        ".lock", FILE, f"{FILE}.damaged",
    ]  # fmt: skip


def test_a_file_that_was_cut_short_keeps_what_is_in_it(tmp_path):
    fuzz.filled(tmp_path, items=40, levels=4)
    data = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(data[:-4096])
    with pytest.raises(Damaged, match=r"[1-9] of 16 cells: \w+, "):
        Store(tmp_path / FILE, write=False)
    with Store(tmp_path / FILE) as store:
        count = store.count()
    assert 16 * 40 / 2 < count < 16 * 40


def test_a_version_that_is_not_that_of_the_tables(copy, finished):
    """A bit of the header: what is in the tables counts."""
    with contextlib.closing(sqlite3.connect(copy / FILE)) as db, db:
        db.execute("PRAGMA user_version = 2")
    assert fuzz.values(copy) == fuzz.values(finished)
    with Store(copy / FILE) as store:
        assert "its header or its tables" in str(store.health)
    assert fuzz.values(copy) == fuzz.values(finished)


def test_what_is_no_store_is_left_alone(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as db, db:
        db.execute("CREATE TABLE mine (x)")
    before = (tmp_path / FILE).read_bytes()
    for write in (True, False):
        with pytest.raises(RequestError, match="is not a resect store"):
            Store(tmp_path / FILE, write=write)
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_an_older_store_gets_its_checksums(version, finished, tmp_path):
    """What an earlier resect wrote is read as it was, and watched from then on."""
    older(finished, tmp_path, version)
    with Store(tmp_path / FILE, write=False) as store:
        texts = list(store.answers()["text"])
    with Store(finished / FILE, write=False) as store:
        assert texts == list(store.answers()["text"])
    assert Store(tmp_path / FILE).health.sound
    change(tmp_path, "UPDATE answers SET text = 'x' WHERE asking = 'a:special/0.0/dose'")
    with pytest.raises(Damaged, match="special, intact, dose"):
        Store(tmp_path / FILE, write=False)


def older(source: Path, folder: Path, version: int) -> None:
    """The store of `source` as resect wrote it at an earlier schema."""
    with contextlib.closing(sqlite3.connect(folder / FILE)) as db:
        for step in MIGRATIONS[:version]:
            for statement in step:
                statement(db) if callable(statement) else db.execute(statement)
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("ATTACH ? AS new", (str(source / FILE),))
        for (table,) in db.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table'"
        ).fetchall():
            columns = [row[1] for row in db.execute(f"PRAGMA main.table_info({table})")]
            names = ", ".join("recipe" if name == "treatment" else name for name in columns)
            db.execute(f"INSERT INTO {table} SELECT {names} FROM new.{table}")
        db.commit()


def test_an_older_store_that_is_broken_gets_none(finished, tmp_path):
    older(finished, tmp_path, 3)
    data = bytearray((tmp_path / FILE).read_bytes())
    data[8192:8200] = bytes(8)
    (tmp_path / FILE).write_bytes(data)
    for write in (True, False):
        with pytest.raises(RequestError, match="is damaged"):
            Store(tmp_path / FILE, write=write)


@pytest.mark.parametrize(
    "value", [0, 1.0, -0.0, 5e-324, 1e300, float("inf"), float("nan"), True, None]
)
def test_every_number_is_known_again(value, copy):
    with Store(copy / FILE) as store:
        store.put_judgements(fuzz.JUDGE, [("i", "h", value, "\x00 é \u202e \U0001f600")])
    Store(copy / FILE, write=False).db.close()


def test_the_end_of_the_log_is_missed(killed, tmp_path):
    for path in killed.iterdir():
        shutil.copyfile(path, tmp_path / path.name)
    with (tmp_path / f"{FILE}-wal").open("r+b") as file:
        file.seek(-100, 2)
        file.truncate()
    with pytest.raises(Damaged, match="its last writes are lost"):
        Store(tmp_path / FILE, write=False)
    with Store(tmp_path / FILE):  # the run goes on from what is there
        pass
    Store(tmp_path / FILE, write=False).db.close()


def test_a_reader_of_a_live_run_sees_no_damage(tmp_path):
    """Every batch changes several tables; a reader is given one state of all."""
    run, ended, wrong = Run.create(tmp_path), threading.Event(), []

    def write() -> None:
        try:
            with run.writing() as store:
                for _ in range(3):
                    fuzz.fill(store, 30, 3)
        except BaseException as error:
            wrong.append(error)
        finally:
            ended.set()

    writer = threading.Thread(target=write)
    with Store(tmp_path / FILE) as store:
        fuzz.fill(store, 4, 1)
    writer.start()
    reads = 0
    while not ended.is_set() or not reads:
        with run.reading() as store:
            assert len(store.cells()) > 0
        reads += 1
    writer.join()
    assert wrong == []
    assert reads > 2


def test_nobody_takes_a_live_log_for_a_lost_one(killed, tmp_path):
    """While a process writes, what lies behind the last commit is its next one."""
    for path in killed.iterdir():
        shutil.copyfile(path, tmp_path / path.name)
    with (tmp_path / f"{FILE}-wal").open("r+b") as file:
        file.seek(-100, 2)
        file.truncate()
    with lock.exclusive(tmp_path):
        with lock.unwritten(tmp_path) as still:
            assert not still
        with Store(tmp_path / FILE, write=False):
            assert log.cut_off(tmp_path / FILE)


def test_a_checksum_is_the_same_on_every_machine():
    """Stored once, compared elsewhere and later: the very numbers."""
    assert checksums.checksum(("a", 1, 0.5, None, "é\n\x00")) == checksums.checksum(
        (b"a", 1, 0.5, None, "é\n\x00".encode())
    )
    assert checksums.checksum(("a", 1, 0.5, None, "é\n\x00")) == 8209455340759862944
