"""Reasoning before an answer: closed, it changes nothing; unclosed, there is no answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resect.parse import parse
from resect.parse.code import program
from resect.parse.final import announced, concluded
from resect.parse.latex import expression
from resect.parse.number import number
from resect.parse.overlap import answer as overlap
from resect.parse.reasoning import spoken
from resect.parse.spans import mentions

OPTIONS = {"A": "Kidney", "B": "Liver failure", "C": "Heart", "D": "Lung"}
BLOCKS = [
    ("<think>", "</think>"),
    ("<THINK>", "</THINK>"),
    ("<thinking>", "</thinking>"),
    ("<analysis>", "</analysis>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<unused94>thought\n", "<unused95>"),
    ("<|channel|>analysis<|message|>", "<|end|>"),
    ("<|channel>thought\n", "<channel|>"),
]
WORDS = [
    "A", "B.", "C", "(D)", "yes", "no", "maybe", "the answer is", "Answer:", "\\boxed{", "}", "not",
    "wait,", "liver failure", "12", "####", "\n", "Final answer:", "None", "def f():", "```", "|",
    "<think", "think>", "</", "<b>", "{", '"answer":', "[x]", "is wrong", "I can't answer", "да",
]  # fmt: skip
texts = st.one_of(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join), st.text(max_size=60))


def every_reading(text):
    """The text as each reader reads it."""
    return (
        parse(text, "ABCD", OPTIONS, "Which organ is affected?"),
        parse(text, ("yes", "no", "maybe"), None, "Do statins reduce the risk of stroke?"),
        number(text),
        expression(text),
        mentions(text, {"Diseases": "Disease"}, "liver failure"),
        overlap(text),
        program(text, "def f():", "f"),
        announced(text),
        concluded(text, "ABCD", OPTIONS, "Which organ is affected?", finished=True),
        concluded(text, "ABCD", OPTIONS, "Which organ is affected?", finished=False),
    )


@given(st.sampled_from(BLOCKS), texts, st.sampled_from(["", "\n", "\n\n", " "]), texts)
def test_a_closed_block_changes_nothing(block, thought, gap, text):
    start, end = block
    assert every_reading(f"{start}{thought}{end}{gap}{text}") == every_reading(gap + text)


@given(st.sampled_from(BLOCKS), st.lists(texts, max_size=3), texts)
def test_several_blocks_change_nothing(block, thoughts, text):
    start, end = block
    before = "".join(f"{start}{thought}{end}" for thought in thoughts)
    assert every_reading(before + text) == every_reading(text)


@given(st.sampled_from(BLOCKS), texts, texts)
def test_an_unclosed_block_is_truncated(block, before, thought):
    text = f"{before}\n{block[0]}{thought}"
    parsed, stated, value, formula, listed, free, code, final, whole, cut = every_reading(text)
    for reading in (parsed, stated, value, formula, listed, free, whole, cut):
        assert reading == (None, "truncated", "reasoning")
    assert code == (None, "reasoning")
    assert final is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("It is A... no, B.</think>C", "C"),  # the prompt opened the block
        ("<think>a</think>B<think>c</think>", "B"),
        ("<think><analysis>A</think>B", "B"),
        ("B<|end|>", "B<|end|>"),  # the end of a turn
        ("<|channel|>analysis<|message|>A<|end|><|channel|>final<|message|>B", "B"),
        ("analysisA? No.assistantfinalB", "B"),
        ("analysisA? No.", None),
        ("analysis of variance", "analysis of variance"),
        ("<think>A</think><think>B", None),
    ],
)
def test_what_is_spoken(text, answer):
    assert spoken(text) == answer


def test_many_blocks_take_no_time_in_the_square():
    assert spoken("<think>" * 100_000) is None
    assert spoken("<think></think>" * 100_000 + "A") == "A"
    assert spoken("</think>" * 100_000 + "A") == "A"


def test_reasoning_does_not_halve_the_accuracy():
    """200 answers behind blocks that speak of other options, nine in ten of them right."""
    right = 0
    for n in range(200):
        gold, other = "ABCD"[n % 4], "ABCD"[(n + 1) % 4]
        answer = gold if n % 10 else other
        text = f"<think>The answer is {other}. No, {gold}? So {other}.</think>\n\n{answer}"
        right += parse(text, "ABCD", OPTIONS).answer == gold
    assert right == 180
