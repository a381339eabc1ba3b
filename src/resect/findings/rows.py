"""The rows of summary.json as types: frozen, documented, made once; schema and docs come from them.

A field without a default is always written, null where it could not be computed. A field with a
default is written only where it applies. Shares are from 0 to 1, levels are fractions removed or
bits per weight (null where nothing is swept), sizes are in bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from resect.record import TRANSFORMERS, Kind, Status, View

Domain = Literal["medical", "general"]
Level = float | None
ROW = {"extra": "forbid"}
"""pydantic's settings for every row: a key that no field names is refused."""


class Better(StrEnum):
    """Who keeps more, as one test or several that agree say it."""

    A = "a better"
    B = "b better"
    NEITHER = "no evidence"
    DEPENDS = "depends on the measure"


class CliffKind(StrEnum):
    """What a cliff is: see `Cliff`."""

    HALF = "half"
    ONSET = "onset"
    STEEPEST = "steepest"
    DIVERGENCE = "divergence"


class Word(StrEnum):
    """The words of a verdict, from the best to the worst."""

    PASSED = "passed"
    NOT_PROVEN = "not proven"
    UNDETERMINED = "undetermined"
    FAILED = "failed"


class Missing(StrEnum):
    """Why a task cannot be judged."""

    NO_SKILL = "no skill to lose"
    TOO_FEW = "too few items"
    NOT_ASKED = "not asked"
    NO_BASELINE = "no intact answers"
    NO_ANSWERS = "answers missing"


class GuardrailKind(StrEnum):
    """What a guardrail watches."""

    NO_ANSWER = "no_answer"
    MISSED = "missed"
    WRONGLY = "said_wrongly"
    CONFIDENT = "confident_error"
    FLIPS = "right_to_wrong"
    SUBGROUP = "subgroup"


class ChosenBy(StrEnum):
    """How a version was chosen without a choice that flatters."""

    SEQUENCE = "levels upward"
    HELD_BACK = "items held back"


class Unchosen(StrEnum):
    """Why no version of a model was chosen."""

    NONE_PLAUSIBLE = "no version looked good enough on the items that select"
    NONE_PASSED = "no version passed on the items held back"
    UNDETERMINED = "the items held back cannot decide"
    UNRANKED = "versions of several recipes cannot be ranked without measured bytes"


class Answer(StrEnum):
    """What kind of answer a headline gives."""

    SMALLEST = "smallest that passed"
    DEEPEST = "most compressed that passed"
    NONE_PASSED = "none passed"
    UNCONFIRMED = "none confirmed"
    UNDETERMINED = "undetermined"
    CLAIMS = "published claims"
    COMPARED = "models compared"
    INTACT = "intact alone"
    NOTHING = "nothing to analyse"


class PickedBy(StrEnum):
    """What ranks the versions that passed."""

    DISK = "bytes_on_disk"
    MEMORY = "bytes_in_memory"
    LEVEL = "level"


# ── estimates ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its 95 % interval; all null with a `reason` where it could not be computed."""

    __pydantic_config__ = ROW
    value: float | None
    low: float | None
    high: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Distance:
    """A size that noise can only raise: `value` without noise, `counted` as it stands.

    `by_chance` is what noise alone shows on as many items.
    """

    __pydantic_config__ = ROW
    value: float | None
    low: float | None
    high: float | None
    counted: float | None
    by_chance: float | None


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of `n` items; `guess` is what a model that takes any option would get."""

    __pydantic_config__ = ROW
    value: float | None
    low: float | None
    high: float | None
    n: int | None = None
    guess: float | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of repeated timings, with the lowest and the highest."""

    __pydantic_config__ = ROW
    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class HalfLevel:
    """Where half is gone; `censored` where it is not seen gone through the last level."""

    __pydantic_config__ = ROW
    level: float | None
    low: float | None
    high: float | None
    censored: bool
    reason: str | None = None


# ── what a row is about ─────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class OfSweep:
    """One model under one recipe with one seed, asked in one runtime."""

    __pydantic_config__ = ROW
    model: str
    role: str
    recipe: str
    runtime: str = TRANSFORMERS
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfCurve(OfSweep):
    """One sweep on one task in one view."""

    task: str
    view: View


@dataclass(frozen=True, slots=True, kw_only=True)
class OfPair:
    """Two models on one task in one view: `a` the specialist and `b` the base, where they are."""

    __pydantic_config__ = ROW
    task: str
    view: View
    a: str
    b: str


# ── study, models, tasks ────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyModel:
    """A model as the study names it."""

    __pydantic_config__ = ROW
    id: str
    revision: str | None
    dtype: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRecipe:
    """A recipe of the study with its levels; `roles` are those of the models it is for.

    `level_of`: what a level is a fraction of, like `targeted weights`. `control`: the recipe of the
    study that cuts the same at random.
    """

    __pydantic_config__ = ROW
    name: str
    levels: tuple[Level, ...] = ()
    roles: tuple[str, ...] = ()
    seed: int | None = None
    level_of: str | None = None
    control: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyCalibration:
    """The calibration text: `nsamples` windows of `seqlen` tokens of `data`, drawn by `seed`."""

    __pydantic_config__ = ROW
    data: str
    nsamples: int
    seqlen: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The study as it was declared; `recorded` says where an audit's answers came from.

    `margin` is the largest loss that passes, null for each task's own. `sequential`: it was asked
    in looks, and no more than the verdict needed. `choose`: its recipes were asked in turn, in
    looks, until one was confirmed.
    """

    __pydantic_config__ = ROW
    name: str
    models: Mapping[str, StudyModel]
    recipes: tuple[StudyRecipe, ...]
    tasks: tuple[str, ...]
    limit: int | None
    variants: tuple[str, ...]
    seed: int
    resamples: int
    margin: float | None
    alpha: float | None
    retain: float = 0.8
    shown_only: tuple[str, ...] = ()
    sequential: bool = False
    choose: bool = False
    recorded: Mapping[str, Any] | None = None
    calibration: StudyCalibration | None = None
    data_dir: str | None = None

    @property
    def asked_in_looks(self) -> bool:
        """Whether levels were asked no more items than it took."""
        return self.sequential or self.choose


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that was asked; `parent` is what its card or a table says it was tuned from."""

    __pydantic_config__ = ROW
    name: str
    role: str
    id: str
    revision: str | None
    fingerprint: str | None
    dtype: str | None
    parent: str | None
    parameters: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Averages:
    """Precision, recall and F1 averaged over labels."""

    __pydantic_config__ = ROW
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Floors:
    """What answering without knowledge gets on the very items: accuracies, null without labels."""

    __pydantic_config__ = ROW
    chance: float | None
    majority: float | None
    majority_label: str | None
    majority_weighted: Averages | None
    always_positive: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task: what it is, how it was asked, its margins, gold labels and floors."""

    __pydantic_config__ = ROW
    name: str
    kind: Kind
    domain: Domain | None
    labels: tuple[str, ...]
    summary: str
    protocol: str
    scored: str
    primary: str
    margin: float
    caps: Mapping[str, float]
    losses: Mapping[str, float]
    positive: str | None
    n: int
    gold: Mapping[str, int]
    floors: Floors


# ── curves ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelScores:
    """One label: precision, recall, F1, and how many items have it as gold and as answer."""

    __pydantic_config__ = ROW
    precision: float | None
    recall: float | None
    f1: float | None
    gold: int
    predicted: int


@dataclass(frozen=True, slots=True)
class KlSpread:
    """Divergences at `n` places, in nats: each is at least this."""

    __pydantic_config__ = ROW
    n: int
    mean: float
    median: float
    p999: float
    same_top: float


@dataclass(frozen=True, slots=True)
class KlToIntact:
    """KL from the intact model's next tokens to those here, over the whole vocabulary.

    `answer`: at the first token of the answer; `text`: at places of the prompt, null where none
    was told. `same_top`: share of places with the same likeliest token.
    """

    __pydantic_config__ = ROW
    answer: KlSpread
    text: KlSpread | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint(OfCurve):
    """One level of one curve. The intact model is level 0.

    `accuracy` with Wilson's interval; `macro_f1`, `precision` and `recall` over the task's labels.
    `metrics` holds every metric of the catalogue that this level has. `outcomes` are shares of
    texts, `prediction_share` of all items. `flips`: share of items whose right or wrong changed
    from level 0. `format_loss`: right by options and not by text; `forgotten`: right by neither.
    `kl`: how far the next tokens are from level 0, null where they were not told.
    """

    level: Level
    measured_level: Level
    n: int
    status: Status
    reason: str | None
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None
    skill: float | None
    macro_f1: float | None
    precision: float | None
    recall: float | None
    per_label: Mapping[str, LabelScores]
    metrics: Mapping[str, Estimate]
    outcomes: Mapping[str, float]
    prediction_share: Mapping[str, float | None]
    flips: float | None
    format_loss: float | None
    forgotten: float | None
    kl: KlToIntact | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Robustness(OfCurve):
    """The area under a curve over the range of its levels: 1 is unharmed at every level.

    `absolute` is of skill, `retention` of the share of the intact skill; `raw_area` is not
    divided by the range.
    """

    metric: Literal["skill"]
    kind: Literal["absolute", "retention"]
    value: float | None
    low: float | None
    high: float | None
    raw_area: float | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(OfPair):
    """Robustness of `a` minus that of `b`, over the same resamples of the same items.

    `verdict` reads the intervals as they are, `verdict_holm` after Holm's correction over the
    `family`; both are null where no word can be given, and `undecided` then says why.
    `detectable` is the smallest difference that these data could have shown.
    """

    metric: Literal["skill"]
    kind: Literal["absolute", "retention", ""]
    recipe: str
    seed: int
    difference: float | None
    low: float | None
    high: float | None
    detectable: float | None
    verdict: Better | None
    verdict_holm: Better | None
    p: float | None
    p_holm: float | None
    family: int | None
    reason: str | None
    undecided: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntactComparison(OfPair):
    """The models before any damage: metric of `a` minus that of `b` on the same `n` items.

    Tango's interval and the exact McNemar test; Student's where items can be right in part.
    """

    n: int
    metric: str
    accuracy_a: float | None
    accuracy_b: float | None
    only_a: int | None
    only_b: int | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    verdict: Better
    runtime: str = TRANSFORMERS


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeStep(OfCurve):
    """One intact model in two runtimes, on the same `n` items: what the change itself costs.

    `flips`: share of items whose right or wrong changed. Tango's interval of the metric in
    `runtime` minus that in `baseline`, and the exact McNemar test.
    """

    baseline: str
    n: int
    metric: str
    flips: float | None
    value_baseline: float | None
    value: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    kl: KlToIntact | None


# ── cliffs and what fails first ─────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsUsed:
    """How many of the items `asked` carry a paired finding: those asked at every level."""

    __pydantic_config__ = ROW
    used: int
    asked: int


@dataclass(frozen=True, slots=True)
class StepShare:
    """In which share of resamples the step from `level` to `to` was the steepest."""

    __pydantic_config__ = ROW
    level: float
    to: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cliff(OfCurve):
    """Where a curve breaks: `half` (half is gone), `onset`, `steepest` drop, `divergence`.

    `level` is null with `censored` where the curve gets there at no level up to `last_level`, and
    with a `reason` alone where it was not looked for. `high` is null beside a `level` where the
    interval reaches beyond the last level. `to`, `drop` and `shares` are of `steepest`, the gap of
    `divergence`. `no_skill`: the intact model has no skill that could be lost; `items` where fewer
    carry the finding than were asked. `recovers_to`: the highest share that the curve comes back to
    above one half after it first reached it, at `recovers_at`.
    """

    metric: str
    kind: CliffKind
    level: float | None
    low: float | None
    high: float | None
    censored: bool
    reason: str | None
    to: float | None = None
    drop: float | None = None
    shares: tuple[StepShare, ...] = ()
    gap: float | None = None
    gap_low: float | None = None
    gap_high: float | None = None
    last_level: float | None = None
    no_skill: bool = False
    items: ItemsUsed | None = None
    recovers_at: float | None = None
    recovers_to: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """Which of several half-levels comes `first`, and by how much before the nearest other.

    `places` has each by its name. `by` is in units of the level, `steps` in steps of the levels
    asked, null where no other breaks; `share` is how often it leads in resamples. `clear`: even the
    lower end of the lead is at least one step.
    """

    __pydantic_config__ = ROW
    places: Mapping[str, HalfLevel]
    first: str | None
    by: float | None
    low: float | None
    high: float | None
    steps: float | None
    steps_low: float | None
    steps_high: float | None
    share: float | None
    clear: bool
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BreaksFirst(OfSweep):
    """Which fails first on a task: `answering`, `skill by text` or `skill by options`."""

    task: str
    race: Race


@dataclass(frozen=True, slots=True, kw_only=True)
class RetainedLevel:
    """What is left of utility and of reliability at one level, as shares of the intact model's."""

    __pydantic_config__ = ROW
    level: Level
    utility: Estimate
    reliability: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityFirst(OfCurve):
    """Whether `skill` or one measure of `reliability` is half gone first."""

    metric: str
    levels: tuple[RetainedLevel, ...]
    race: Race


# ── the verdict ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """A task that cannot be judged, and why.

    `n` items (parents, where items share them) and how many are `needed`; or the intact model's
    `skill_low`, the lower bound of its utility, and the `floor` that it does not clear.
    """

    __pydantic_config__ = ROW
    task: str
    why: Missing
    level: Level = None
    n: int | None = None
    needed: int | None = None
    low: float | None = None
    floor: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """A quantity that may not get clearly worse at a level that is claimed.

    `rise` is `value` less `intact` in the bad direction, or the share itself for flips; `cap` the
    most that it may be. It trips where `rise` is beyond the cap and `p_holm` at most 0.05.
    """

    __pydantic_config__ = ROW
    task: str
    kind: GuardrailKind
    of: str | None
    view: View
    level: Level
    n: int
    intact: float | None
    value: float
    rise: float
    cap: float
    p: float
    p_holm: float
    tripped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskVerdict:
    """The primary test of one task at one level: the change of its utility within its margin.

    `word` is the test's and the guardrails'; `tripped` counts the guardrails that tripped.
    """

    __pydantic_config__ = ROW
    task: str
    view: View
    level: Level
    word: Word
    n: int
    margin: float | None
    intact: float | None
    value: float | None
    change: float | None
    low: float | None
    high: float | None
    p: float | None
    tripped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelVerdict:
    """One level of a sweep in one word: its worst task, and what that lost.

    `claimed`: it passed, and so did every level before it.
    """

    __pydantic_config__ = ROW
    level: Level
    word: Word
    claimed: bool
    task: str | None
    change: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """What stopped a sweep: a test, a guardrail, or a task without evidence.

    `power` is that of these items had nothing changed; `provable_margin` the smallest that these
    answers would have passed; `items_needed` for a power of 80 % if the change seen is the true one
    (null where more items would not help).
    """

    __pydantic_config__ = ROW
    task: str
    level: Level
    word: Word
    test: TaskVerdict | None = None
    guardrail: Guardrail | None = None
    undecided: Undecided | None = None
    others: tuple[str, ...] = ()
    power: float | None = None
    provable_margin: float | None = None
    items_needed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DegradedCell:
    """A cell that fell back to something else than was asked, and why."""

    __pydantic_config__ = ROW
    level: Level
    task: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepVerdict(OfSweep):
    """How far one sweep passes, in one view.

    `default` marks the view that decides. `state` is the word of the last level claimed, or of the
    first level where none is. `passed` are the levels claimed, in fixed sequence; `passed_level`
    the last of them. `guardrails` are those of the last level claimed and of the level that
    stopped the sweep; `undetermined` the tasks that cannot be judged at any level.
    """

    view: View
    default: bool
    alpha: float
    margins: Mapping[str, float]
    state: Word
    passed: tuple[Level, ...]
    passed_level: Level
    stopped_by: Stop | None
    levels: tuple[LevelVerdict, ...]
    tasks: tuple[TaskVerdict, ...]
    guardrails: tuple[Guardrail, ...]
    undetermined: tuple[Undecided, ...]
    shown_only: tuple[str, ...]
    degraded: tuple[DegradedCell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A version that was tested on the items held back, at its own `alpha`."""

    __pydantic_config__ = ROW
    recipe: str
    level: Level
    seeds: tuple[int, ...]
    bytes: float | None
    alpha: float
    word: Word
    stopped_by: Stop | None
    tasks: tuple[TaskVerdict, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The smallest version of one model that passed on items that did not select it.

    With one recipe (`how`: levels upward) the last level claimed is the choice, on all items. Of
    several, `explored` versions were looked at on one half of the items, `plausible` of them looked
    good, and `tried` were tested on the other half, the smallest first, at what was left of
    `alpha`. `chosen` is the one that passed.
    """

    __pydantic_config__ = ROW
    model: str
    role: str
    view: View
    how: ChosenBy
    alpha: float
    explored: int
    plausible: int
    tried: tuple[Candidate, ...]
    chosen: Candidate | None
    by: PickedBy | None
    baseline_bytes: float | None
    degraded: tuple[DegradedCell, ...]
    why: Unchosen | None


# ── bias, trust, reliability ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Favourite:
    """The label answered most above its share of gold, and by how much of the answers."""

    __pydantic_config__ = ROW
    label: str
    excess: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BiasFloors:
    """What constant answers get at one level."""

    __pydantic_config__ = ROW
    majority: float
    majority_label: str
    always_positive: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bias(OfCurve):
    """Which answers a model leans to at one level.

    `lean`: half the sum over labels of |share of answers - share of gold|; `letter_bias`: the
    spread of recall over letters. Of tasks with a positive label: its share of answers,
    d' (`sensitivity`) and c (`criterion`, below 0 leans to yes).
    """

    level: Level
    n: int
    answered: int
    predicted: Mapping[str, Estimate]
    gold: Mapping[str, float]
    lean: Distance
    favourite: Favourite | None
    letter_bias: Distance | None
    floors: BiasFloors
    positive: str | None = None
    positive_share: Estimate | None = None
    sensitivity: Estimate | None = None
    criterion: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The paired table of two levels: items lost and gained, flips, McNemar's p.

    `changed`: share of other answers of any kind.
    """

    __pydantic_config__ = ROW
    level: Level
    n: int
    lost: int
    gained: int
    flips: float | None
    accuracy_change: float | None
    p: float | None
    changed: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust(OfCurve):
    """Whether answers stay the same, and whether option probabilities can be believed."""

    level: Level
    n: int
    since_baseline: Changes | None
    since_previous: Changes | None
    calibration_error: Distance | None
    brier: Estimate | None
    risk_coverage: Estimate | None
    auroc: Estimate | None
    confident: Estimate | None
    wrong_and_confident: Estimate | None
    wrong_if_confident: Rate | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability(OfCurve):
    """Answers to variants of the questions, held against the answers to the questions."""

    level: Level
    consistency: Rate | None = None
    grounding: Rate | None = None
    grounded: Rate | None = None
    preference: Rate | None = None


# ── over several tasks, slices, divergences ─────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainLevel:
    """Mean share of skill left on medical and on general tasks at one level."""

    __pydantic_config__ = ROW
    level: Level
    medical: Estimate
    general: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Domains(OfSweep):
    """Medical against general tasks: `difference` is of the areas under the shares left."""

    view: View
    tasks: Mapping[Domain, tuple[str, ...]]
    levels: tuple[DomainLevel, ...]
    difference: Estimate
    race: Race
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AbstentionLevel:
    """How often a model abstains where there is no answer and where there is one; J is the gap."""

    __pydantic_config__ = ROW
    level: Level
    unanswerable: Rate
    answerable: Rate
    j: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Abstention(OfSweep):
    """Abstaining over all tasks that offer it."""

    view: View
    tasks: Mapping[Literal["unanswerable", "answerable"], tuple[str, ...]]
    levels: tuple[AbstentionLevel, ...]
    race: Race


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceValue:
    """One value of a tag: accuracy of its items before the damage and at the level shown."""

    __pydantic_config__ = ROW
    value: str
    n: int
    baseline: Estimate
    damaged: Estimate
    change: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstSlice:
    """The value with the lowest accuracy; `apart` if its interval lies below all items'."""

    __pydantic_config__ = ROW
    value: str
    n: int
    accuracy: float
    low: float
    high: float
    apart: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice(OfCurve):
    """Accuracy by the values of one tag at the level nearest to the half-level, or the last."""

    tag: str
    level: Level
    level_of: Literal["half-level", "last level"]
    accuracy: float | None
    values: tuple[SliceValue, ...]
    worst: WorstSlice | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DivergentItem:
    """An item that `loses` has wrong from `level` on while `keeps` has it right until `until`."""

    __pydantic_config__ = ROW
    item: str
    item_id: str
    keeps: str
    loses: str
    level: Level
    until: Level
    apart: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence(OfPair):
    """Items right in both intact models that only one of them keeps."""

    recipe: str
    seed: int
    n: int
    kept_by_a: int
    kept_by_b: int
    items: tuple[DivergentItem, ...]


# ── measurements ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement(OfSweep):
    """One state of a model, measured on the artefact; null where it was not measured.

    `parts`: bytes on disk by what they are for. `ratios` are to the same model intact. `digest` is
    a hash of the weights, the same for the folder that `resect compress` writes.
    """

    level: Level
    measured_level: Level
    parameters: int | None
    zeros: int | None
    bytes_on_disk: int | None
    bytes_in_memory: int | None
    peak_memory: int | None
    tokens_per_second: float | None
    bits_per_weight: float | None
    parts: Mapping[str, int] | None
    workload: Mapping[str, Any] | None
    ratios: Mapping[str, float]
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """The command that writes a version which was judged, and the hash of its weights."""

    __pydantic_config__ = ROW
    model: str
    recipe: str
    seed: int
    level: Level
    command: str
    digest: str | None


# ── the audit of the published study ────────────────────────────────────────────────────────────

Reader = Literal["study", "ours"]
"""Who read the texts: the recording study, or our parser."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfReading:
    """One model under one recipe on one task, as one reader read its texts."""

    __pydantic_config__ = ROW
    model: str
    role: str
    recipe: str
    task: str
    reading: Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedArea(OfReading):
    """Trapezoid areas over the levels, in units of the level as published.

    `metric` is the published one, `area` its area; then accuracy, F1 over the labels, and skill.
    """

    metric: str | None
    area: float | None
    low: float | None
    high: float | None
    accuracy_area: float | None
    accuracy_low: float | None
    accuracy_high: float | None
    f1_labels_area: float | None
    f1_labels_low: float | None
    f1_labels_high: float | None
    skill_area: float | None
    skill_low: float | None
    skill_high: float | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedLevel(OfReading):
    """What one reader's readings give at one level."""

    level: Level
    metric: str | None
    value: float | None
    accuracy: float | None
    skill: float | None
    no_answer: float
    prediction_share: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedComparison:
    """Area of `a` minus that of `b` by one reading; skill and retention over the range."""

    __pydantic_config__ = ROW
    task: str
    recipe: str
    reading: Reader
    metric: str
    a: str
    b: str
    area_a: float
    area_b: float
    difference: float | None
    low: float | None
    high: float | None
    relative: float | None
    verdict: Better | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRate(OfReading):
    """How often the positive label is among the answers given at one level, by our reading.

    `change` since level 0 over the `n` items answered at both, of which `right` have the label
    and `baseline` were answered so at level 0.
    """

    seed: int
    label: str
    level: Level
    answered: int
    share: float | None
    n: int
    right: float | None
    baseline: float | None
    change: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderAgreement:
    """Where the study's reading of `n` texts and ours part.

    `counted_as`: what the study made of the `unread` ones; `changed`: taken as another label;
    `missed`: only we can read; `says`: the same in a sentence.
    """

    __pydantic_config__ = ROW
    task: str
    n: int
    agree: float
    unread: int
    counted_as: Mapping[str, float]
    changed: int
    missed: int
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A published claim, whether it holds, and why."""

    __pydantic_config__ = ROW
    task: str
    claim: str
    verdict: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A recorded study by its own readings and metrics, beside ours."""

    __pydantic_config__ = ROW
    areas: tuple[PublishedArea, ...]
    levels: tuple[PublishedLevel, ...]
    comparisons: tuple[PublishedComparison, ...]
    gold: Mapping[str, Mapping[str, float]]
    readers: tuple[ReaderAgreement, ...]
    said: tuple[AnswerRate, ...]
    claims: tuple[Claim, ...]


# ── the whole ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The answer first: `text` has at most 20 words, `lines` are at most three under it.

    The other fields are the facts that they are made of: the version that passed with its bytes
    and its `share` of the intact model's, the tasks that it `passed_on`, the `worst` of them, and
    the `caveats` that stand in the way of believing it.
    """

    __pydantic_config__ = ROW
    text: str
    answer: Answer
    lines: tuple[str, ...]
    model: str | None = None
    recipe: str | None = None
    level: Level = None
    bytes: float | None = None
    share: float | None = None
    passed_on: tuple[str, ...] = ()
    worst: TaskVerdict | None = None
    caveats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """How many cells were planned, how many have answers, and how many failed."""

    __pydantic_config__ = ROW
    planned: int
    done: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the findings mean, in sentences."""

    __pydantic_config__ = ROW
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Every finding of a run: summary.json.

    `published` is there for audits that hold a study's own readings, `judge` where another model
    graded free texts (its name, protocol and scale).
    """

    __pydantic_config__ = ROW
    schema: int = 2
    study: Study
    headline: Headline
    models: tuple[Model, ...]
    tasks: tuple[Task, ...]
    curves: tuple[CurvePoint, ...]
    robustness: tuple[Robustness, ...]
    comparisons: tuple[Comparison, ...]
    cliffs: tuple[Cliff, ...]
    breaks_first: tuple[BreaksFirst, ...]
    bias: tuple[Bias, ...]
    trust: tuple[Trust, ...]
    reliability: tuple[Reliability, ...]
    reliability_first: tuple[ReliabilityFirst, ...]
    slices: tuple[Slice, ...]
    divergences: tuple[Divergence, ...]
    domains: tuple[Domains, ...]
    abstention: tuple[Abstention, ...]
    verdicts: tuple[SweepVerdict, ...]
    choice: tuple[Choice, ...]
    measurements: tuple[Measurement, ...]
    intact: tuple[IntactComparison, ...]
    runtimes: tuple[RuntimeStep, ...] = ()
    warnings: tuple[str, ...]
    verdict: Verdict
    provenance: Mapping[str, Any]
    cells: Cells | None = None
    commands: tuple[Command, ...] = ()
    published: Published | None = None
    judge: Mapping[str, Any] | None = None
