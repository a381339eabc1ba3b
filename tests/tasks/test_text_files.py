"""Files of texts and questions of a user: hostile lines are one sentence for every reader."""

from __future__ import annotations

import gzip
import subprocess
import sys

import pytest
from lazy import WHEN_RUN

from resect.errors import RequestError
from resect.tasks import offline
from resect.tasks.own import Own

if WHEN_RUN:
    from resect.methods.calibration import calibration_text
    from resect.recover import training_data
    from resect.tasks import perplexity

READERS = {
    "questions": lambda path: Own(str(path)).rows,
    "calibration": lambda path: list(calibration_text.texts(str(path))),
    "training": lambda path: training_data.Source(str(path)).examples(),
    "perplexity": lambda path: list(perplexity._file(path)),
}
SOUND = b'{"question": "q?", "options": ["a", "b"], "answer": "a", "text": "t"}\n'
HOSTILE = {
    "nested": (b'{"text": ' + b"[" * 200_000, "line 2 is not JSON"),
    "digits": (b'{"text": ' + b"9" * 5000 + b"}", "line 2 is not JSON"),
    "half a pair": (b'{"text": "\\ud800"}', "line 2 is not JSON"),
    "bytes": (b"\xff\xfe", "cannot be read"),
    "long": (b'{"text": "' + b"x" * 5000 + b'"}', "line 2 is longer than"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_line(name, reader, tmp_path, monkeypatch):
    line, sentence = HOSTILE[name]
    monkeypatch.setattr(offline, "LONGEST", 4000 if name == "long" else offline.LONGEST)
    for path in (tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz"):
        content = SOUND + line
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        with pytest.raises(RequestError, match=sentence):
            READERS[reader](path)


def test_a_text_that_is_too_long(tmp_path, monkeypatch):
    monkeypatch.setattr(offline, "LARGEST", 4000)
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"x" * 5000))
    with pytest.raises(RequestError, match="is longer than"):
        list(calibration_text.texts(str(path)))
    path.write_bytes(gzip.compress(b"x" * 4000)[:30])
    with pytest.raises(RequestError, match="cannot be read"):
        list(perplexity._file(path))


def test_a_line_without_end_fills_no_memory(tmp_path):
    """900 MB in one line, as a file with a hole: refused within 256 MB and 5 s of computing."""
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(b'{"question": "')
        file.truncate(900 << 20)
    script = (
        "import resource, sys, time\n"
        "from resect.errors import RequestError\n"
        "from resect.tasks.own import Own\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before, started = peak(), time.process_time()\n"
        "try:\n    Own(sys.argv[1]).rows\n"
        "except RequestError as error:\n    print(error)\n"
        "print((peak() - before) >> 10, time.process_time() - started)\n"
    )
    command = [sys.executable, "-c", script, str(path)]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    sentence, numbers = shown.strip().splitlines()
    assert "line 1 is longer than 16 MiB: leave it out" in sentence
    megabytes, seconds = map(float, numbers.split())
    assert megabytes < 256
    assert seconds < 5
