"""The control must be the parent: one table and one sentence for runs and audits."""

from resect.spec.parents import control_warning, parent_of


def test_a_card_goes_before_the_table():
    assert parent_of("BioMistral/BioMistral-7B") == "mistralai/Mistral-7B-Instruct-v0.1"
    assert parent_of("/models/BioMistral-7B") == "mistralai/Mistral-7B-Instruct-v0.1"
    assert parent_of("BioMistral/BioMistral-7B", card="x/y") == "x/y"
    assert parent_of("mistralai/Mistral-7B-v0.1") is None


def test_a_control_that_is_not_the_parent_is_named():
    said = control_warning("BioMistral-7B", "mistralai/Mistral-7B-Instruct-v0.1", "M", "x/M")
    assert "x/M" in said
    assert "Mistral-7B-Instruct-v0.1" in said
    assert control_warning("a", "mistralai/M", "M", "local/M") is None
    assert control_warning("a", None, "M", "M") is None
