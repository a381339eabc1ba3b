"""Our prompts are byte for byte those of the recorded study; counts and gold are the releases'."""

from __future__ import annotations

import csv
import io
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from resect import tasks
from resect.errors import RequestError
from resect.tasks import Source

FILES = {
    "pubmedqa": "Mistral_PubMedQA/mistralai_Mistral-7B-v0.1_pubmedqa_0_percent.csv",
    "mmlu-lobotomy": "Mistral_MMLU/mmlu_mistralai_Mistral-7B-v0.1_0_percent.csv",
}


@pytest.fixture(scope="module")
def recorded(data_dir: Path) -> dict[str, list[dict[str, str]]]:
    with tarfile.open(data_dir / "lobotomy_logs.tar.xz") as archive:
        found = {}
        for task, name in FILES.items():
            raw = archive.extractfile(f"data/{name}").read().decode()
            found[task] = list(csv.DictReader(io.StringIO(raw, newline="")))
        return found


@pytest.mark.parametrize("task", FILES)
def test_prompts_and_gold(task, recorded, data_dir):
    items = tasks.get(task).items(Source(data_dir))
    assert [item.prompt for item in items] == [row["prompt"] for row in recorded[task]]
    assert [item.gold for item in items] == [row["true_answer"] for row in recorded[task]]


def test_counts_of_the_releases(data_dir):
    gold = Counter(item.gold for item in tasks.get("pubmedqa").items(Source(data_dir)))
    assert gold == {"yes": 552, "no": 338, "maybe": 110}
    items = tasks.get("mmlu-lobotomy").items(Source(data_dir))
    topics = Counter(item.tags["topic"] for item in items)
    assert topics == {"logic": 389, "medical": 373}


def test_a_limit_keeps_every_subject(data_dir):
    items = tasks.get("mmlu-lobotomy").items(Source(data_dir, limit=12))
    assert len(items) == 12
    assert len({item.tags["subject"] for item in items}) == 5


def test_hub_rows_give_the_same_items(data_dir, monkeypatch):
    """Rows in the hub's own schema (qiaojin/PubMedQA, cais/mmlu) become the same items."""
    from resect.tasks import hub, offline

    offline_items = tasks.get("pubmedqa").items(Source(data_dir, limit=20))
    fields = {"id": str, "question": str, "contexts": list, "final_decision": str}
    rows = [
        {
            "pubid": int(row["id"]),
            "question": row["question"],
            "context": {"contexts": row["contexts"], "labels": row["section_labels"], "meshes": []},
            "long_answer": row["long_answer"],
            "final_decision": row["final_decision"],
        }
        for row in offline.rows(data_dir, "pubmedqa_pqal.jsonl.gz", fields)
    ]
    monkeypatch.setattr(hub, "rows", lambda *_: iter(rows))
    from_hub = tasks.get("pubmedqa").items(Source(limit=20))
    assert [item.key for item in from_hub] == [item.key for item in offline_items]

    mmlu = list(offline.rows(data_dir, "mmlu_test.jsonl.gz", {"subject": str}))

    def subject_rows(name, subject, split, revision):
        assert (name, split, len(revision)) == ("cais/mmlu", "test", 40)
        for row in mmlu:
            if row["subject"] == subject:
                answer = "ABCD".index(row["answer"])
                yield {
                    "question": row["question"],
                    "subject": subject,
                    "choices": row["options"],
                    "answer": answer,
                }

    monkeypatch.setattr(hub, "rows", subject_rows)
    one = [item.key for item in tasks.get("mmlu-lobotomy").items(Source(limit=50))]
    two = [item.key for item in tasks.get("mmlu-lobotomy").items(Source(data_dir, limit=50))]
    assert one == two


def test_a_broken_file_is_one_sentence(tmp_path):
    path = tmp_path / "pubmedqa_pqal.jsonl.gz"
    path.write_bytes(b"not gzip")
    with pytest.raises(RequestError, match="cannot be read"):
        tasks.get("pubmedqa").items(Source(tmp_path))
    import gzip

    path.write_bytes(gzip.compress(b'{"id": 1, "question": "q"}\n'))
    with pytest.raises(RequestError, match="line 1 has no field 'contexts'"):
        tasks.get("pubmedqa").items(Source(tmp_path))
    path.write_bytes(gzip.compress(b'{"id": 1}\n' * 999)[:30])
    with pytest.raises(RequestError, match=r"cannot be read|no field"):
        tasks.get("pubmedqa").items(Source(tmp_path))
