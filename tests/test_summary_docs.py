"""The reference of summary.json and its JSON Schema say what the types say."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate_docs", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_schema_is_that_of_the_types(generate):
    kept = (DOCS / "summary.schema.json").read_text(encoding="utf-8")
    assert generate.json_schema() == kept, "run `python docs/generate.py`"


def test_every_row_is_explained(generate):
    from resect.findings import rows

    for row in generate.row_types(rows.Summary):
        assert row.__doc__
        assert not row.__doc__.startswith(f"{row.__name__}("), f"{row.__name__} has no docstring"
