"""`model.gguf` as a model: read by transformers, asked, cut and written again."""

from __future__ import annotations

import pytest
from lazy import WHEN_RUN

from resect.errors import RequestError
from resect.spec import ModelRef, Recipe, Study

if WHEN_RUN:
    import torch

    from resect.deploy import gguf_writer
    from resect.methods import validation
    from resect.models import loading
    from resect.running import compression, resolve

CLINIC = ModelRef.of(role="model", id="clinic:specialist")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    source = loading.load(CLINIC, "cpu")
    place = tmp_path_factory.mktemp("files") / "clinic.gguf"
    return gguf_writer.write(source.model, source.tokenizer, place, "F16").path


def test_file_is_the_model_that_it_was_made_from(path):
    ref = ModelRef.of(role="model", id=str(path))
    identity, empty = loading.identify(ref)
    assert identity.fingerprint.startswith("sha256:")
    assert empty.model.device.type == "meta"
    validation.fits([], Recipe.of(steps="magnitude:0.5"), empty.model)
    own, source = loading.load(ref, "cpu"), loading.load(CLINIC, "cpu")
    text = "The drug Praiparib can cause sweating."
    ids = source.tokenizer(text, return_tensors="pt").input_ids
    assert own.tokenizer(text, return_tensors="pt").input_ids.tolist() == ids.tolist()
    with torch.no_grad():
        logits = [one.model(ids).logits.log_softmax(-1) for one in (own, source)]
    assert torch.allclose(*logits, atol=0.02)


def test_file_can_be_cut_and_written_again(path, tmp_path):
    ref = ModelRef.of(role="model", id=str(path))
    done = compression.compress_to(ref, Recipe.of(steps="magnitude:0.5"), tmp_path / "cut")
    assert done["steps"][0]["measured"] == pytest.approx(0.5, abs=1e-3)
    assert done["source"]["bytes_on_disk"] == path.stat().st_size
    compression.compress_to(ref, Recipe.of(steps="gguf:Q8_0"), tmp_path / "again")
    assert list((tmp_path / "again").glob("*.gguf"))


def test_study_takes_a_file(path):
    study = Study.of(
        name="s", models={"model": str(path)}, recipes=[], tasks=["clinic-logic"], limit=3
    )
    assert resolve.resolve(study).tiny["model"]


def test_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "a.gguf").write_text("not one")
    with pytest.raises(RequestError, match="no GGUF file"):
        loading.check(ModelRef.of(role="model", id=str(tmp_path / "a.gguf")))
