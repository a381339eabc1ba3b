"""The real loading path of `datasets`, on a small set in the hub's layout."""

from __future__ import annotations

import json

import pytest

from resect.errors import RequestError
from resect.tasks import hub


def test_rows_of_a_dataset_folder(tmp_path):
    lines = [{"pubid": n, "question": f"q{n}", "final_decision": "yes"} for n in range(3)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert list(hub.rows(str(tmp_path), None, "train")) == lines


def test_a_dataset_that_cannot_be_had(monkeypatch):
    with pytest.raises(RequestError, match=r"nobody/nothing.*--data_dir"):
        list(hub.rows("nobody/nothing", None, "train"))
