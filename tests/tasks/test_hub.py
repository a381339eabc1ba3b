"""The real loading path of `datasets`, on a small set in the hub's layout."""

from __future__ import annotations

import json

import pytest
from lazy import WHEN_RUN

from resect.errors import RequestError
from resect.tasks import hub

if WHEN_RUN:
    from resect.methods.calibration import calibration_text


def test_rows_of_a_dataset_folder(tmp_path):
    lines = [{"pubid": n, "question": f"q{n}", "final_decision": "yes"} for n in range(3)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert list(hub.rows(str(tmp_path), None, "train")) == lines


def test_a_dataset_that_cannot_be_had(monkeypatch):
    with pytest.raises(RequestError, match=r"nobody/nothing.*--data_dir"):
        list(hub.rows("nobody/nothing", None, "train"))


def test_calibration_texts_of_a_hub_set_and_one_of_its_configs(monkeypatch):
    """Its column text, what its messages say, or all columns of text; sets joined take turns."""
    known = {
        ("allenai/c4", "en"): [{"text": "plain", "url": "left out"}],
        ("a/b", "part"): [{"id": "1", "instruction": "Name it.", "output": "Pain.", "n": 2}],
        ("chats", None): [{"messages": [{"role": "user", "content": "Hi"}, {"content": "Yes?"}]}],
    }
    monkeypatch.setattr(hub, "rows", lambda name, config, *_, **__: known[name, config])
    assert list(calibration_text.texts("c4")) == ["plain"]
    assert list(calibration_text.texts("a/b:part|chats")) == ["Name it.\nPain.", "Hi\nYes?"]
