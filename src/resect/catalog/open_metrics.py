"""Metrics of answers that are no labels: numbers, programs, mentions, texts."""

from __future__ import annotations

from collections.abc import Mapping

from resect.catalog.quantity import Quantity

OPEN_METRICS: Mapping[str, Quantity] = {
    # answers that are no labels
    "exact_match": Quantity(
        "Exact match", "exact matches", "higher", "share", "all items",
        "Share of items whose final number or expression equals the gold one.",
        views=("text",),
    ),
    "pass@1": Quantity(
        "Pass@1", "pass@1", "higher", "share", "all programs",
        "Share of programs that pass all their tests.",
        views=("text",),
    ),
    "score": Quantity(
        "Score", "the mean score", "higher", "score", "all items",
        "Mean of the scores of the items, from 0 to 1.",
    ),
    "if_answered": Quantity(
        "Where it answers", "the metric where it answers", "higher", "score", "items answered",
        "The task’s own metric over the items that got an answer: what is lost beyond the format.",
        group="answer", views=("text",),
    ),
    "strict_f1": Quantity(
        "Strict F1", "strict F1", "higher", "score", "all mentions",
        "F1 of extracted mentions, equal in text and type, over all sentences.",
        views=("text",),
    ),
    "partial_f1": Quantity(
        "Partial F1", "partial F1", "higher", "score", "all mentions",
        "F1 of extracted mentions with half a credit for one that overlaps.",
        group="answer", views=("text",),
    ),
    "strict_precision": Quantity(
        "Strict precision", "strict precision", "higher", "share", "mentions listed",
        "Share of the mentions listed that are right.",
        group="answer", views=("text",),
    ),
    "strict_recall": Quantity(
        "Strict recall", "strict recall", "higher", "share", "gold mentions",
        "Share of the gold mentions that are listed.",
        group="answer", views=("text",),
    ),
    "invented": Quantity(
        "Invented mentions", "the share of invented mentions", "lower", "share", "mentions listed",
        "Share of the mentions listed that the sentence does not hold.",
        group="answer", views=("text",),
    ),
    "rouge_l": Quantity(
        "ROUGE-L", "ROUGE-L", "higher", "score", "all items",
        "F1 of the longest common subsequence of text and reference.",
        views=("text",),
    ),
    "token_f1": Quantity(
        "Token F1", "token F1", "higher", "score", "all items",
        "F1 of the words of text and reference.",
        group="answer", views=("text",),
    ),
    "omission": Quantity(
        "Omission", "omission", "lower", "share", "content words of the reference",
        "Share of the reference’s content words that the text leaves out. Silence omits all.",
        group="answer", views=("text",),
    ),
    "copy": Quantity(
        "Copied", "the copied share", "lower", "share", "runs of four words",
        "Share of the text’s runs of four words that occur in the context: a model can seem "
        "faithful just by copying.",
        group="answer", views=("text",),
    ),
    "repetition": Quantity(
        "Repetition", "repetition", "lower", "share", "runs of four words",
        "Share of the text’s runs of four words that occur in it earlier.",
        group="answer", views=("text",),
    ),
    "judged": Quantity(
        "Judged", "the judge's score", "higher", "score", "all texts",
        "How another model graded the text against the reference, from 0 to 1; no text counts 0. "
        "No verdict uses these grades.",
        group="answer", views=("text",),
    ),
    "length_ratio": Quantity(
        "Length", "the length ratio", "neither", "ratio", "words of the reference",
        "Words written, over words of the reference.",
        group="answer", views=("text",),
    ),
    "perplexity": Quantity(
        "Perplexity", "perplexity", "lower", "score", "all tokens",
        "Exponential of the mean negative log-likelihood of a token. Neither skill nor verdicts "
        "use it.",
        group="answer", views=("options",),
    ),
    "word_perplexity": Quantity(
        "Word perplexity", "word perplexity", "lower", "score", "all words",
        "Exponential of the negative log-likelihood per word.",
        group="answer", views=("options",),
    ),
    "bits_per_byte": Quantity(
        "Bits per byte", "bits per byte", "lower", "bits", "all bytes",
        "Negative log-likelihood of a text in bits per byte. Neither skill nor verdicts use it.",
        group="answer", views=("options",),
    ),
}  # fmt: skip
