"""Options are of the types that a method declares, or are refused in one sentence."""

from __future__ import annotations

import pytest
import tiny

from resect import methods
from resect.cli import main
from resect.errors import RequestError
from resect.spec import Step


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ("magnitude:0.5,lm_head=maybe", "magnitude cannot take lm_head=maybe: give true or false"),
        ("random:0.5,seed=abc", "random cannot take seed=abc: give a whole number"),
        ("random:0.5,seed=1.5", "seed=1.5: give a whole number"),
        ("random:0.5,seed=-1", "seed=-1: give a number of at least 0"),
        ("bnb-int8,threshold=high", "threshold=high: give a number"),
        ("bnb-int8,threshold=-1", "threshold=-1: give a number of at least 0"),
        ("torchao-int4,group_size=half", "group_size=half: give a whole number"),
        ("sparsegpt:0.5,damp=high", "damp=high: give a number"),
        ("sparsegpt:0.5,damp=inf", "damp=inf: give a finite number"),
        ("sparsegpt:0.5,block=0", "block=0: give a number of at least 1"),
        ("sparsegpt:0.5,block=true", "block=true: give a whole number"),
        ("ria:0.5,power=abc", "power=abc: give a number"),
        ("nodes:0.5,multiple_of=0", "multiple_of=0: give a number of at least 1"),
        ("experts:0.5,nsamples=0", "nsamples=0: give a number of at least 1"),
        ("lora,data=clinic,rank=0", "rank=0: give a number of at least 1"),
        ("lora,data=clinic,lr=high", "lr=high: give a number"),
        ("lora,data=clinic,examples=-1", "examples=-1: give a number of at least 0"),
        ("lora,data=clinic,dropout=1.5", "dropout=1.5: give a number of at most 1"),
        ("lora,data=clinic,checkpointing=2", "checkpointing=2: give true or false"),
        ("distill,data=clinic,temperature=hot", "distill cannot take temperature=hot"),
        ("finetune,data=clinic,lr=0", "lr=0: give a number above 0"),
        ("finetune,data=clinic,patience=-1", "patience=-1: give a number of at least 0"),
        ("distill,data=clinic,hard=2", "hard=2: give a number of at most 1"),
        ("finetune,data=clinic,epochs=yes", "epochs=yes: give a number"),
    ],
)
def test_a_wrong_option_is_named(step, sentence):
    with pytest.raises(RequestError, match=sentence):
        methods.check(Step.parse(step))


@pytest.mark.parametrize("said", ["no", "off", "false", "No", "0"])
def test_a_flag_that_is_denied_is_off(said):
    step = Step.parse(f"magnitude:0.5,lm_head={said}")
    assert not methods.make(step).targets.lm_head
    assert str(methods.for_sweep(step)) == "magnitude:0.5"
    assert methods.make(Step.parse(f"lora,data=clinic,checkpointing={said}")).checkpointing is False


@pytest.mark.parametrize("said", ["yes", "on", "true", "True", "1"])
def test_a_flag_that_is_affirmed_is_on(said):
    assert methods.make(Step.parse(f"magnitude:0.5,embeddings={said}")).targets.embeddings is True


def test_numbers_and_names_are_what_the_method_asks_for():
    assert isinstance(methods.make(Step.parse("bnb-int8,threshold=5")).threshold, float)
    lora = methods.make(Step.parse("lora,data=7,targets=1,lr=1,epochs=2"))
    assert (lora.data, lora.targets) == ("7", "1")
    assert isinstance(lora.lr, float)
    assert methods.make(Step.parse("random,include=1:2|true")).targets.include == "1:2|true"


def test_names_of_recipes_stay_as_they_are_written():
    for text in ("ria,inputs=dense,power=1", "magnitude,lm_head=true", "random,seed=3",
                 "lora,data=7,lr=0.0001,rank=8", "bnb-int8,threshold=5"):  # fmt: skip
        assert str(methods.for_sweep(Step.parse(text))) == text
    assert str(methods.for_sweep(Step.parse("bnb-int8,threshold=6"))) == "bnb-int8"


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ("sparsegpt:0.5,damp=high", "damp=high: give a number"),
        ("lora,data=clinic,targets=1", "no matrix matches targets=1"),
    ],
)
def test_a_wrong_option_is_a_wrong_request(step, sentence, tmp_path, capsys):
    source, out = tiny.save(tmp_path / "source", "llama"), tmp_path / "out"
    asked = ["compress", str(source), "--step", step, "--calibration", "clinic", "--out", str(out)]
    assert main(asked) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said
    assert not out.exists()


@pytest.mark.parametrize(
    ("step", "random"),
    [("neurons:0.2", "neurons:0.2,criterion=random"),
     ("nodes:0.2,multiple_of=64", "neurons:0.2,criterion=random,multiple_of=64"),
     ("neurons,criterion=flap,update=lstsq", "neurons,criterion=random"),
     ("heads:0.34,by=query,damp=0.1", "heads:0.34,by=query,criterion=random"),
     ("blocks:0.1,criterion=loss", "blocks:0.1,criterion=random"),
     ("experts,criterion=gate", "experts,criterion=random"),
     ("wanda:0.5,exclude=*.mlp.*,inputs=dense", "random:0.5,exclude=*.mlp.*"),
     ("sparsegpt,pattern=2:4", "random,pattern=2:4")],
)  # fmt: skip
def test_the_control_cuts_the_same_at_random(step, random):
    found = methods.control(Step.parse(step))
    assert found is not None
    assert str(found) == random
    assert methods.make(found).random


@pytest.mark.parametrize(
    "step", ["random:0.5", "neurons,criterion=random", "bnb-nf4", "lora,data=clinic"]
)
def test_what_has_no_control(step):
    assert methods.control(Step.parse(step)) is None
