"""The catalogue: every metric, test and outcome, with its names, unit, direction and meaning.

Analysis, terminal, page, card, diff and docs take names, units and colours from here. A new metric
is one entry here and one function in `findings` (docs/adding_a_metric.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", "neither"]
Unit = Literal["share", "score", "ratio", "bits", "nats", "bytes", "tokens/s", "count", "J"]
Group = Literal["curve", "answer", "bias", "trust", "reliability", "published", "measured"]
Where = Literal["text", "options"]
BOTH: tuple[Where, ...] = ("text", "options")


@dataclass(frozen=True, slots=True)
class Quantity:
    """One metric.

    `label` heads a column or an axis, `fragment` stands in a sentence. `better` is the direction,
    `of` what it is a share or mean of, `views` the views that have it. `explains` is one or two
    sentences for page and docs. `group` is the part of summary.json that holds it. `colour` is a
    fixed one (hex), where the quantity is drawn beside others of its group.
    """

    label: str
    fragment: str
    better: Better
    unit: Unit
    of: str
    explains: str
    group: Group = "curve"
    views: tuple[Where, ...] = BOTH
    colour: str | None = None

    @property
    def is_share(self) -> bool:
        """Whether it is shown in percent."""
        return self.unit == "share"


QUANTITIES: Mapping[str, Quantity] = {
    # label tasks
    "accuracy": Quantity(
        "Accuracy", "accuracy", "higher", "share", "all items",
        "Share of all items answered right; no answer is wrong. Guessing already earns the floors. "
        "A task whose answers are no labels shows its own metric here.",
    ),
    "balanced_accuracy": Quantity(
        "Balanced accuracy", "balanced accuracy", "higher", "share", "each gold label's items",
        "Share right within each gold label, then the mean over labels; no answer counts as a "
        "guess.",
    ),
    "skill": Quantity(
        "Skill", "skill", "higher", "score", "all items",
        "A right answer counts 1, none counts 0, a wrong one −1/(k−1); averaged within each label, "
        "then over labels. Silence, guessing and a constant answer all come to 0.",
    ),
    "retention": Quantity(
        "Retention", "retention", "higher", "share", "the intact model's skill",
        "Skill divided by the same model’s intact skill. 100 % is intact, 50 % is the half-level.",
    ),
    "change": Quantity(
        "Change", "the change of accuracy", "higher", "share", "items asked at both levels",
        "Accuracy minus that of the intact model, over the items asked of both.",
    ),
    "macro_f1": Quantity(
        "Macro-F1", "macro-F1", "higher", "score", "the task's labels",
        "F1 averaged over the task’s labels, whether or not they were ever predicted.",
    ),
    "precision": Quantity(
        "Precision", "precision", "higher", "score", "the task's labels",
        "Precision averaged over the task’s labels.",
    ),
    "recall": Quantity(
        "Recall", "recall", "higher", "score", "the task's labels",
        "Recall averaged over the task’s labels.",
    ),
    "weighted_precision": Quantity(
        "Weighted precision", "weighted precision", "higher", "score", "labels by their items",
        "Precision averaged over labels, each weighted by its items.",
    ),
    "weighted_recall": Quantity(
        "Weighted recall", "weighted recall", "higher", "score", "labels by their items",
        "Recall averaged over labels, each weighted by its items: accuracy.",
    ),
    "weighted_f1": Quantity(
        "Weighted F1", "weighted F1", "higher", "score", "labels by their items",
        "F1 averaged over labels, each weighted by its items.",
    ),
    # how far the model itself is from the intact one
    "kl": Quantity(
        "KL to the intact model", "the KL divergence", "lower", "nats", "all items",
        "How far the first token of the answer is from the intact model’s, over the whole "
        "vocabulary (mean). It is computed from the 32 likeliest tokens of both and the rest as "
        "one lump, so the true value is at least this. Shown, never judged.",
    ),
    "kl_text": Quantity(
        "KL in the prompt", "the KL divergence in the prompt", "lower", "nats",
        "places in the prompts",
        "The same at places 8, 16 and 32 tokens before the answer.",
    ),
    "same_top": Quantity(
        "Same first token", "the share with the same first token", "higher", "share", "all items",
        "Share of items where the likeliest first token is that of the intact model.",
    ),
    # what kind of text came back
    "no_answer": Quantity(
        "No answer", "the share without an answer", "lower", "share", "all items",
        "Share of items whose text held no answer that could be read.",
        views=("text",),
    ),
    "format_loss": Quantity(
        "Format loss", "format loss", "lower", "share", "all items",
        "Share of items right by options and not by text: still known, no longer said.",
        views=("text",),
    ),
    "forgotten": Quantity(
        "Forgotten", "the forgotten share", "lower", "share", "all items",
        "Share of items that the intact model knew, now right neither by options nor by text.",
        views=("text",),
    ),
    "cut_off": Quantity(
        "Cut off", "the share cut off", "lower", "share", "all texts",
        "Share of texts that only the token limit ended.",
        group="answer", views=("text",),
    ),
    "trapped": Quantity(
        "Never ends", "the share that never ends", "lower", "share", "all texts",
        "Share of texts that loop or are debris and that only the token limit ended.",
        group="answer", views=("text",),
    ),
    # errors that may not rise
    "missed": Quantity(
        "Missed", "missed", "lower", "share", "items of one gold label",
        "Share of the items of a label that were not answered with it; no answer is a miss.",
    ),
    "said_wrongly": Quantity(
        "Said wrongly", "wrongly said", "lower", "share", "items of other gold labels",
        "Share of the items of other labels that were answered with a label.",
    ),
    "right_to_wrong": Quantity(
        "Right to wrong", "from right to wrong", "lower", "share", "all items",
        "Share of items that the intact model had right and the damaged one has wrong.",
    ),
    "subgroup": Quantity(
        "Subgroup", "the loss in a subgroup", "lower", "share", "items of one tag",
        "What the utility of the items of one tag fell by.",
    ),
    "utility": Quantity(
        "Utility", "utility", "higher", "score", "labels alike",
        "1 less what an answer costs; its mean within each gold label, then over the labels.",
    ),
    "confident_error": Quantity(
        "Confident errors", "the confident-error rate", "lower", "share", "all items",
        "Share of all items answered wrong with a probability of 80 % or more.",
        views=("options",),
    ),
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
    # which answers a model leans to
    "shares": Quantity(
        "Answers given", "the share of each answer", "neither", "share", "all items",
        "Share of all items answered with each label; the dotted line in the same colour is how "
        "often that label is right. What is missing to 100 % is no answer.",
        group="bias",
    ),
    "positive_share": Quantity(
        "Positive answers", "the share of positive answers", "neither", "share", "answers given",
        "Of the answers given, how many are the task’s positive label.",
        group="bias",
    ),
    "sensitivity": Quantity(
        "Sensitivity d′", "sensitivity", "higher", "score", "answers given",
        "How well the answers given separate positive items from the others, whatever the bias: "
        "0 means not at all.",
        group="bias",
    ),
    "criterion": Quantity(
        "Criterion c", "the criterion", "neither", "score", "answers given",
        "The bias of the answers given: below 0 the model gives the positive label too often, "
        "above 0 too rarely.",
        group="bias",
    ),
    "letter_bias": Quantity(
        "Letter bias", "letter bias", "lower", "score", "the letters",
        "Spread of recall over the letters: 0 means that no position of the right option is "
        "favoured. What noise alone shows on as many items is taken off.",
        group="bias",
    ),
    "lean": Quantity(
        "Lean", "the lean", "lower", "share", "answers given",
        "Half the sum over labels of |share of answers − share of gold|, without what noise shows.",
        group="bias",
    ),
    # whether answers stay, and whether probabilities can be believed
    "flips": Quantity(
        "Flips", "flips", "lower", "share", "all items",
        "Share of items answered right by the intact model and wrong here, or the reverse. "
        "Accuracy can stay the same while answers change.",
        group="trust",
    ),
    "wrong_and_confident": Quantity(
        "Confident errors", "confident errors", "lower", "share", "all items",
        "Share of all items answered wrong with a probability of 80 % or more.",
        group="trust", views=("options",),
    ),
    "wrong_if_confident": Quantity(
        "Wrong if confident", "errors among confident answers", "lower", "share",
        "confident answers",
        "Of the items answered with a probability of 80 % or more, the share answered wrong; the "
        "table says how many these are.",
        group="trust", views=("options",),
    ),
    "confident": Quantity(
        "Confident", "the confident share", "neither", "share", "all items",
        "Share of items answered with a probability of 80 % or more: the coverage of the errors "
        "above.",
        group="trust", views=("options",),
    ),
    "risk_coverage": Quantity(
        "Risk and coverage", "the area under risk and coverage", "lower", "score", "all items",
        "Mean share of wrong answers over all coverages, the most confident answers kept first: 0 "
        "is perfect, and a model that cannot tell has its share of errors.",
        group="trust", views=("options",),
    ),
    "calibration_error": Quantity(
        "Calibration error", "the calibration error", "lower", "share", "all items",
        "Distance between stated probability and share right, in up to 15 bins of equal mass. What "
        "noise alone shows on as many items is taken off, and the table has the error as counted "
        "too: an interval that starts at 0 can be of a calibrated model.",
        group="trust", views=("options",),
    ),
    "brier": Quantity(
        "Brier score", "the Brier score", "lower", "score", "all items",
        "Squared error of the probabilities over all options: 0 is perfect, 2 the worst.",
        group="trust", views=("options",),
    ),
    "auroc": Quantity(
        "AUROC", "telling its errors apart", "higher", "score", "pairs of a right and a wrong item",
        "How often a right answer has more confidence than a wrong one (AUROC): 0.5 is chance.",
        group="trust", views=("options",),
    ),
    # reliability: what may fail before skill does
    "answered": Quantity(
        "Answered", "answering", "higher", "share", "all items",
        "Share of items that got an answer.",
        group="reliability", views=("text",),
    ),
    "calibration": Quantity(
        "Calibration", "calibration", "higher", "share", "all items",
        "One minus the calibration error.",
        group="reliability", views=("options",),
    ),
    "consistency": Quantity(
        "Consistency", "choosing the same option wherever it stands", "higher", "share",
        "questions asked again",
        "Share of questions for which the same option is chosen after the options change places.",
        group="reliability",
    ),
    "grounding": Quantity(
        "Grounding", "answering from the context", "higher", "share", "items first answered right",
        "Of the items first answered right, the share whose answer changes when the context is "
        "another item’s.",
        group="reliability",
    ),
    "grounded": Quantity(
        "Grounded", "answering from the context", "higher", "share", "all items asked again",
        "The same as grounding, of all items.",
        group="reliability",
    ),
    "preference": Quantity(
        "Preference", "preferring the true answer to a made-up one", "higher", "share",
        "questions asked in both orders",
        "The true answer is preferred to a made-up one in both orders.",
        group="reliability",
    ),
    "completeness": Quantity(
        "Completeness", "saying what the reference says", "higher", "share",
        "content words of the reference",
        "Share of the reference’s content words that the text includes.",
        group="reliability", views=("text",),
    ),
    "abstention": Quantity(
        "Abstention J", "abstaining only where there is no answer", "higher", "score",
        "items that offer to abstain",
        "Abstains on questions without an answer, minus abstains on those with one.",
        group="reliability",
    ),
    # the published study's own
    "f1_positive": Quantity(
        "F1 of the positive label (as published)", "F1 of the positive label alone", "higher",
        "score", "all items",
        "F1 of one label alone: it rewards saying that label, right or wrong.",
        group="published", views=("text",),
    ),
    "f1_observed": Quantity(
        "F1 over observed labels (as published)", "F1 averaged over the labels observed", "higher",
        "score", "labels in gold or answers",
        "F1 averaged over the labels seen in gold or answers: unreadable texts are one more class.",
        group="published", views=("text",),
    ),
    "f1_labels": Quantity(
        "F1 over the task’s labels", "F1 averaged over the task's labels", "higher", "score",
        "the task's labels",
        "F1 averaged over the task’s labels.",
        group="published", views=("text",),
    ),
    # measured on the artefact
    "parameters": Quantity(
        "Parameters", "parameters", "lower", "count", "the model", "Numbers stored in the model.",
        group="measured",
    ),
    "zeros": Quantity(
        "Zeros", "zeros", "neither", "count", "all parameters", "Parameters that are exactly zero.",
        group="measured",
    ),
    "bytes_on_disk": Quantity(
        "Size on disk", "size on disk", "lower", "bytes", "the saved checkpoint",
        "Bytes of the tensors of a saved checkpoint.",
        group="measured",
    ),
    "bytes_in_memory": Quantity(
        "Size in memory", "size in memory", "lower", "bytes", "the loaded model",
        "Bytes of the loaded tensors, buffers included.",
        group="measured",
    ),
    "bits_per_weight": Quantity(
        "Bits per weight", "bits per weight", "lower", "bits", "all parameters",
        "Bits stored for each parameter, on average.",
        group="measured",
    ),
    "peak_memory": Quantity(
        "Peak memory", "peak memory", "lower", "bytes", "the fixed workload",
        "Most memory held during the fixed workload.",
        group="measured",
    ),
    "tokens_per_second": Quantity(
        "Tokens per second", "tokens per second", "higher", "tokens/s", "the fixed workload",
        "Tokens generated per second after the first, one request at a time.",
        group="measured",
    ),
    "prefill_tokens_per_second": Quantity(
        "Tokens read per second", "tokens read per second", "higher", "tokens/s",
        "the fixed workload",
        "Prompt tokens read per second.",
        group="measured",
    ),
    "time_to_first_token": Quantity(
        "Time to the first token", "the time to the first token", "lower", "ratio",
        "the fixed workload",
        "Seconds from the prompt to the first token.",
        group="measured",
    ),
    "seconds_per_answer": Quantity(
        "Seconds per answer", "seconds per answer", "lower", "ratio", "the fixed workload",
        "Seconds for one answer of the fixed workload.",
        group="measured",
    ),
    "flops_per_token": Quantity(
        "Operations per token", "operations per token", "lower", "count", "the fixed workload",
        "Floating-point operations for each token read.",
        group="measured",
    ),
    "joules_per_answer": Quantity(
        "Energy per answer", "energy per answer", "lower", "J", "the fixed workload",
        "Joules for one answer, where a counter can be read.",
        group="measured",
    ),
}  # fmt: skip
"""Every metric by its key in summary.json."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One kind of text that came back: its name, explanation and colour."""

    label: str
    explains: str
    colour: str


OUTCOMES: Mapping[str, Outcome] = {
    "answer": Outcome("answer", "an answer, as asked", "#3b7d88"),
    "recovered": Outcome("recovered", "an answer, in other words", "#9ccdc9"),
    "echo": Outcome("echo", "the prompt repeated", "#e8c866"),
    "off_task": Outcome("off task", "text about something else", "#c98536"),
    "degenerate": Outcome("degenerate", "loops, fragments or nothing", "#8e3044"),
    "refusal": Outcome("refusal", "a refusal", "#8878b8"),
    "truncated": Outcome("truncated", "cut off before an answer", "#a9b0b7"),
}

CLIFFS: Mapping[str, str] = {
    "half": "half-level: half of the skill is gone",
    "onset": "onset: the curve bends down",
    "steepest": "steepest drop between two levels",
    "divergence": "divergence: another metric gives way before skill does",
}
"""The kinds of cliff, each in words."""

GUARDRAILS: tuple[str, ...] = (
    "no_answer", "missed", "said_wrongly", "confident_error", "right_to_wrong", "subgroup",
)  # fmt: skip
"""What may not get clearly worse at a level that is claimed."""


def label(name: str) -> str:
    """The label of a metric, or its key if the catalogue lacks it (as for a third-party metric)."""
    return QUANTITIES[name].label if name in QUANTITIES else name.replace("_", " ")


def fragment(name: str) -> str:
    """The name of a metric in a sentence."""
    return QUANTITIES[name].fragment if name in QUANTITIES else name.replace("_", " ")
