"""Recorded answers of any shape: read, or refused in one sentence; never a traceback or a hang."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from resect.errors import RequestError
from resect.recorded import audit, boundary, files, fill

spec = importlib.util.spec_from_file_location(
    "fuzz_recorded", Path(__file__).parents[2] / "tools" / "fuzz" / "recorded.py"
)
fuzz = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fuzz)


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(fill, "RESAMPLES", 50)


@pytest.mark.parametrize("name", fuzz.GOLDEN)
def test_what_once_failed(name, tmp_path):
    assert fuzz.golden(name, tmp_path) == fuzz.GOLDEN[name][1]


def test_a_short_run():
    trials = list(fuzz.trials(150, seed=17))
    assert not [trial for trial in trials if trial.outcome not in ("read", "sentence")]
    assert {trial.outcome for trial in trials} == {"read", "sentence"}


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (fuzz.with_row(text="x" * 5000), "line 1 is longer than"),
        ({"a.csv": b"model,text\nm," + b"x" * 5000 + b"\n"}, "field larger than field limit"),
    ],
)
def test_a_line_or_a_cell_that_is_too_long(sample, message, tmp_path, monkeypatch):
    monkeypatch.setattr(boundary, "LONGEST", 4000)
    refused(fuzz.put(tmp_path / "in", sample), tmp_path, message)


def test_a_folder_of_too_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOST_FILES", 3)
    fuzz.put(tmp_path / "in", {f"{n}.jsonl": b"{}" for n in range(4)})
    refused(tmp_path / "in", tmp_path, "holds more than 3 files")


def refused(path, tmp_path, match):
    with pytest.raises(RequestError, match=match):
        audit(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    rows = fuzz.lines(fuzz.plain_rows())
    fuzz.put(tmp_path, {"in/b.jsonl": b"", "secret/a.jsonl": rows, "in/below/c.txt": rows})
    (tmp_path / "in" / "a.jsonl").symlink_to(tmp_path / "secret" / "a.jsonl")
    refused(tmp_path / "in", tmp_path, "a link to a file outside of .*in: copy that file")
    with tarfile.open(tmp_path / "in.tar", "w") as tar:
        tar.add(tmp_path / "in" / "a.jsonl", "a.jsonl")
    refused(tmp_path / "in.tar", tmp_path, "is empty")
    (tmp_path / "in" / "a.jsonl").unlink()
    (tmp_path / "in" / "a.jsonl").symlink_to("below/c.txt")
    assert len(audit(tmp_path / "in", tmp_path / "inside").answers()) == 16
    named = tmp_path / "named.jsonl"  # a link that the command line names is the user's own
    named.symlink_to(tmp_path / "secret" / "a.jsonl")
    assert len(audit(named, tmp_path / "again").answers()) == 16


def test_what_is_no_file_of_text(tmp_path):
    refused("/dev/zero", tmp_path, "no recorded answers are recognised")
    with pytest.raises(RequestError, match="is not an ordinary file"):
        audit("/dev/zero", tmp_path / "out", format="plain")
    refused("~nobody-of-this-name/x", tmp_path, "cannot be read")
    refused("x" * 5000, tmp_path, "cannot be read|nothing at")
    name = os.fsdecode(b"a\xff.jsonl")
    fuzz.put(tmp_path / "in", {name: fuzz.lines(fuzz.plain_rows())})
    refused(tmp_path / "in", tmp_path, "not UTF-8: rename")
    refused(tmp_path / "in" / name, tmp_path, "not UTF-8: rename")


def test_the_folder_that_one_stands_in(tmp_path, monkeypatch):
    fuzz.put(tmp_path / "in", fuzz.lm_eval())
    monkeypatch.chdir(tmp_path / "in")
    first = audit(".").summary()
    assert first["study"]["name"] == "in"
    assert len(audit(".").summary()["curves"]) == len(first["curves"])


GROWING = """
import resource, sys, time
from resect.errors import RequestError
from resect.recorded import get, recognise
from pathlib import Path
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
path = Path(sys.argv[1])
form = get(recognise(path))
before, started = peak(), time.process_time()
try:
    form.read(path)
except RequestError as error:
    print(error)
print((peak() - before) >> 10, time.process_time() - started)
"""


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "cell.csv", "cell.csv.gz"])
def test_a_line_of_900_mb_fills_no_memory(name, tmp_path):
    """A file with a hole: on disk it is small. A cell between quotes may have lines of its own."""
    path = tmp_path / name
    open_file = gzip.open if name.endswith(".gz") else open
    with open_file(path, "wb") as file:
        if name.startswith("cell"):
            file.write(b'model,text\nm,"')
            for _ in range(300):
                file.write(b'a line,""\n' * 100_000)
        elif name.endswith(".gz"):
            for _ in range(200):
                file.write(b"x" * (1 << 20))
        else:
            file.write(b'{"model": "')
            file.truncate(900 << 20)
    command = [sys.executable, "-c", GROWING, str(path)]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    sentence, numbers = shown.strip().splitlines()
    what = "row" if ".csv" in name else "line"
    assert f"a {what} longer than 16 MiB: leave it out" in sentence
    megabytes, seconds = map(float, numbers.split())
    assert megabytes < 128
    assert seconds < 5


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_where_a_row_ends_does_not_depend_on_the_pieces(size):
    """Rows that Python's own reader finds, however the bytes come."""
    text = 'a,b\n1,"x\ny"\n2,"say ""no""\n"\n3,""\n"4\n\n",z\n5,end'
    ends, quoted = [], False
    data = text.encode()
    for start in range(0, len(data), size):
        piece = data[start : start + size]
        end, quoted = files._end_of_row(piece, quoted)
        ends += [start + end] if end >= 0 else []
    wanted = [len(data) - len("5,end") - 1]
    assert ends[-1:] == wanted
    assert not quoted
    if size == 1:
        assert len(ends) == len(list(csv.reader(io.StringIO(text)))) - 1


def test_a_file_that_is_larger_than_all_that_is_read(tmp_path, monkeypatch):
    """As a cell of more than 1 GiB is; here with lower limits."""
    monkeypatch.setattr(files, "LARGEST", 4000)
    refused(
        fuzz.put(tmp_path / "in", {"a.csv": b'model,text\nm,"' + b"x\n" * 3000 + b'"\n'}),
        tmp_path, "is larger than",
    )  # fmt: skip
    plain = b"model,text\n" + b"m,x\n" * 3000
    refused(
        fuzz.put(tmp_path / "zip", {"a.csv.gz": gzip.compress(plain)}), tmp_path,
        "decompresses to more than",
    )  # fmt: skip
