"""What takes a label, an option or a whole sentence back: "not B", "C is wrong", "no doubt that"."""

from __future__ import annotations

import re

_NOT = (
    r"(?:\bnot|n't|\bnever|\bneither|\bnor|\bcannot|\bavoid(?:ing)?|\brather[ \t]+than"
    r"|\binstead[ \t]+of|\bunlike|\bwithout|\b(?:exclud|eliminat|reject|discard)\w{1,4}"
    r"|\brul\w{1,4}[ \t]+out)"
)
_BEFORE = re.compile(
    rf"{_NOT}(?:[ \t]+(?:be|to|the|an?|option|choice|answer|letter|choose|say|pick|select|go|with|"
    r"it|it's|is|that|think|believe|either|just|simply)\b){0,5}[\s\"'`*_(\[{]*$",
    re.IGNORECASE,
)
WRONG = (
    r"(?:wrong|false|incorrect|untrue|unsafe|dangerous|harmful|unlikely|impossible|inappropriate"
    r"|unsuitable|contraindicated|excluded|eliminated|ruled[ \t]+out|out)\b"
)
_IS = r"(?:(?:(?:would|will|can|could|may|might)[ \t]+)?be|is|are|was|were|seems?|looks?)"
_AFTER = re.compile(
    r"[ \t)\]\"'*`]{0,4}(?:,?[ \t]*which[ \t]+)?"
    rf"(?:{_IS}[ \t]+(?:(?:\w{{2,12}}ly|also|both|all|just|quite|very|too|the|an?)[ \t]+){{0,2}}"
    rf"(?:not\b|{WRONG})|(?:is|are|was|were|do|does|can|would|should)n't\b|cannot\b"
    r"|(?:can|do|does|should|would)[ \t]+not\b)",
    re.IGNORECASE,
)


def rejects(shown: str, start: int, end: int) -> bool:
    """Whether the words around a place say that what stands there is not the answer."""
    return bool(_BEFORE.search(shown[max(0, start - 80) : start]) or _AFTER.match(shown, end))


_FOLDED_BEFORE = re.compile(
    r"(?:^| )(?:not|don t|doesn t|isn t|can t|cannot|never|avoid|without|no|nor|neither|unlike|"
    r"rather than|instead of|except|(?:exclud|eliminat|reject)\w*|rul\w+ out)"
    r"(?: (?:be|to|the|an?|do|in|for|either|simply|just))*$"
)
_FOLDED_AFTER = re.compile(
    rf" (?:{_IS} (?:\w+ly |also |the )?(?:not|{WRONG})|(?:is|are|was|were)n t|cannot|can not"
    r"|should not|would not|has been (?:ruled out|excluded))\b".replace("[ \\t]+", " ")
)


def denies_option(around: str, start: int, end: int) -> bool:
    """The same of an option's text in folded words."""
    before = around[max(0, start - 60) : start].rstrip()
    return bool(_FOLDED_BEFORE.search(before) or _FOLDED_AFTER.match(around, end))


# What only sounds like a denial (left out), or denies the sentence that follows (turned round).
_TAKEN_BACK: tuple[tuple[re.Pattern[str], str, bool], ...] = tuple(
    (re.compile(source, re.IGNORECASE), text, turns)
    for source, text, turns in (
        (r"\bno\.[ \t]?(?=\d)", "number ", False),
        (
            r"\b(?:(?:there[ \t]+(?:is|was|can[ \t]+be)|i[ \t]+have|we[ \t]+have)[ \t]+)?"
            r"(?:absolutely[ \t]+)?(?:no|little|without(?:[ \t]+an?y?)?|beyond(?:[ \t]+an?y?)?)"
            r"[ \t]+(?:reasonable[ \t]+)?(?:doubt|question|denying|dispute|debate|controversy)\b"
            r"(?:,|[ \t]+that\b|[ \t]+but[ \t]+that\b)?",
            "",
            False,
        ),
        (
            r"\b(?:no[ \t]?one|nobody|few|none)(?:[ \t]+\w{2,12}ly|[ \t]+now|[ \t]+would|[ \t]+can)?"
            r"[ \t]+(?:doubt|den[yi]|dispute|question|contest)(?:s|es)?(?:[ \t]+that\b)?",
            "",
            False,
        ),
        (
            r"\bit[ \t]+(?:cannot|can't|can[ \t]+not|could[ \t]+not)[ \t]+be[ \t]+"
            r"(?:denied|doubted|disputed|questioned)(?:[ \t]+that\b)?",
            "",
            False,
        ),
        (r"\b(?:(?:did|do|does|has|have|had)(?:[ \t]+not|n't)|never)[ \t]+fail(?:ed|s)?[ \t]+to\b",
         "did", False),
        (r"\bnot[ \t]+(?:only|just|merely)\b", "", False),
        (
            r"\b(?:it|this)(?:[ \t]+is|[ \t]+was|'s)(?:[ \t]+(?:simply|just|clearly|certainly))?"
            r"(?:[ \t]+not|n't)[ \t]+(?:true|the[ \t]+case|correct|right|so|likely)[ \t]+that\b",
            "",
            True,
        ),
        (r"\bit[ \t]+isn't[ \t]+(?:true|the[ \t]+case|correct|right|likely)[ \t]+that\b", "", True),
        (
            r"\bit(?:[ \t]+is|[ \t]+was|[ \t]+seems|[ \t]+would[ \t]+be|'s)(?:[ \t]+\w{2,12}ly|[ \t]+very)?[ \t]+(?:false|"
            r"untrue|incorrect|wrong|a[ \t]+myth|unlikely|doubtful|improbable|implausible)"
            r"(?:[ \t]+to[ \t]+say)?[ \t]+that\b",
            "",
            True,
        ),
        (r"\b(?:i|we)(?:[ \t]+\w{2,12}ly|[ \t]+very[ \t]+much)?[ \t]+doubt[ \t]+(?:that|whether|if)\b",
         "", True),
    )
)  # fmt: skip
# "Not useless", "not wrong": less than its opposite; two denials in one clause: anyone's guess.
_HALF = re.compile(
    r"\bnot[ \t]+(?:useless|ineffective|uncommon|unsafe|unlikely|impossible|unreasonable|without"
    r"|insignificant|irrelevant|harmless|wrong|incorrect|false|untrue|doubtful)\b"
    r"|(?:\bnot|n't|\bcannot)[ \t]+(?:be[ \t]+)?(?:exclude|say|rule|deny|doubt|confirm|refute)(?:d|[ \t]+out)?\b",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"\b(?:no|not|never|cannot|neither|without|lack(?:s|ed|ing)?|fail(?:s|ed|ing)?|absent|absence|"
    r"unlikely)\b|n't\b",
    re.IGNORECASE,
)


def plain(line: str) -> tuple[str, bool] | None:
    """(the sentence without double denials, whether its meaning is turned round).

    None where its denials cannot be told apart.
    """
    turned = False
    for pattern, text, turns in _TAKEN_BACK:
        line, count = pattern.subn(text, line)
        turned ^= bool(count and turns)
    if _HALF.search(line):
        return None
    for clause in re.split(r"[,;:.]|\b(?:and|or|nor|but)\b", line):
        denials = [word.casefold() for word in _DENIAL.findall(clause)]
        if len(denials) > 1 and set(denials) != {"no"}:  # "no X had no Y" is said of neither
            return None
    return line, turned
