"""The calibration text where none is named, and texts that are known by a name."""

from __future__ import annotations

import pytest
from lazy import WHEN_RUN

from resect.errors import RequestError
from resect.spec import Calibration, ModelRef, Study

if WHEN_RUN:
    from resect.methods.calibration import calibration_text
    from resect.running.resolve import resolve

OTHER = ModelRef.of(role="base", id="org/model")


def test_tasks_give_the_text(data_dir):
    names = ["clinic-logic", "wikitext2", "clinic-medicine"]  # WikiText-2 asks all that it has
    text = calibration_text.filled(None, OTHER, names, data_dir)
    assert text.data == "task:clinic-logic|task:clinic-medicine"
    few = Calibration(nsamples=3)
    assert calibration_text.filled(few, OTHER, names, data_dir).nsamples == 3


def test_without_any_it_is_wikitext_and_embedded_models_read_their_own():
    assert calibration_text.filled(None, OTHER, [], None).data == "wikitext2"
    own = ModelRef.of(role="base", id="clinic:base")
    assert calibration_text.filled(None, own, ["clinic-logic"], None).data == "clinic"
    named = Calibration(data="c4")
    assert calibration_text.filled(named, own, [], None) == named


def test_wikitext_is_in_the_data_folder(data_dir, tmp_path):
    first = next(calibration_text.texts("wikitext2", data_dir))
    assert len(first.split()) > 100
    asked = Calibration(data="wikitext2", nsamples=2, seqlen=16)
    assert calibration_text.name_of(asked, data_dir)
    with pytest.raises(RequestError, match=r"wikitext2_valid\.jsonl\.gz: give another path"):
        next(calibration_text.texts("wikitext2", tmp_path))


def test_a_study_without_a_text_gets_one():
    study = Study.of(
        models={"base": "clinic:base"}, recipes=["wanda"], levels="0.5", tasks=["clinic-logic"],
        limit=2,
    )  # fmt: skip
    resolved = resolve(study)
    assert resolved.study.calibration == Calibration(data="clinic")
    assert resolved.chains["wanda"].calibration
    plain = study.model_copy(update={"recipes": study.recipes[:0]})
    assert resolve(plain).study.calibration is None
