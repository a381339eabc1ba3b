"""What takes a label, an option or a sentence back: "not B", "C is wrong", "no doubt that"."""

from __future__ import annotations

import re

_NOT = (
    r"(?:\bnot|n't|\bnever|\bneither|\bnor|\bcannot|\bavoid(?:ing)?|\banything but|\brather than"
    r"|\binstead of|\bunlike|\bwithout|\b(?:exclud|eliminat|reject|discard)\w{1,4}"
    r"|\brul\w{1,4} out)"
)
_BEFORE = re.compile(
    rf"{_NOT}(?: (?:be|to|the|an?|option|choice|answer|letter|choose|say|pick|want|select|go|with|"
    r"it|it's|is|that|think|believe|either|just|simply)\b){0,5}[\s\"'`*_(\[{]*$",
    re.IGNORECASE,
)
WRONG = (
    r"(?:wrong|false|incorrect|untrue|unsafe|dangerous|harmful|unlikely|impossible|inappropriate"
    r"|unsuitable|contraindicated|excluded|eliminated|ruled out|out)\b"
)
_IS = r"(?:(?:(?:would|will|can|could|may|might) )?be|is|are|was|were|seems?|looks?)"
_AFTER = re.compile(
    r"[ \t)\]\"'*`]{0,4}(?:,?[ \t]*which )?"
    rf"(?:{_IS} (?:(?:\w{{2,12}}ly|also|both|all|just|quite|very|too|the|an?) ){{0,2}}"
    rf"(?:not\b|{WRONG})|(?:is|are|was|were|do|does|can|would|should)n't\b|cannot\b"
    r"|(?:can|do|does|should|would) not\b)",
    re.IGNORECASE,
)


_ASKED = re.compile(r"[)\]\"'*`]{0,4} ?\?(?=\s+\S)")


def rejects(shown: str, start: int, end: int) -> bool:
    """Whether the words around a place say that what stands there is not the answer."""
    if _ASKED.match(shown, end):  # "A? No."
        return True
    return bool(_BEFORE.search(shown[max(0, start - 80) : start]) or _AFTER.match(shown, end))


_FOLDED_BEFORE = re.compile(
    r"(?:^| )(?:not|don t|doesn t|isn t|can t|cannot|never|avoid|without|no|nor|neither|unlike|"
    r"rather than|instead of|except|(?:exclud|eliminat|reject)\w*|rul\w+ out)"
    r"(?: (?:be|to|the|an?|do|in|for|either|simply|just))*$"
)
_FOLDED_AFTER = re.compile(
    rf" (?:{_IS} (?:\w+ly |also |the )?(?:not|{WRONG})|(?:is|are|was|were)n t|cannot|can not"
    r"|should not|would not|has been (?:ruled out|excluded))\b"
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
            r"\b(?:(?:there (?:is|was|can be)|i have|we have) )?"
            r"(?:absolutely )?(?:no|little|without(?: an?y?)?|beyond(?: an?y?)?)"
            r" (?:reasonable )?(?:doubt|question|denying|dispute|debate|controversy)\b"
            r"(?:,| that\b| but that\b)?",
            "",
            False,
        ),
        (
            r"\b(?:no[ \t]?one|nobody|few|none)(?: \w{2,12}ly| now| would| can)?"
            r" (?:doubt|den[yi]|dispute|question|contest)(?:s|es)?(?: that\b)?",
            "",
            False,
        ),
        (
            r"\bit (?:cannot|can't|can not|could not) be "
            r"(?:denied|doubted|disputed|questioned)(?: that\b)?",
            "",
            False,
        ),
        (r"\b(?:(?:did|do|does|has|have|had)(?: not|n't)|never) fail(?:ed|s)? to\b",
         "did", False),
        (r"\bnot (?:only|just|merely)\b", "", False),
        (
            r"\b(?:it|this)(?: is| was|'s)(?: (?:simply|just|clearly|certainly))?"
            r"(?: not|n't) (?:true|the case|correct|right|so|likely) that\b",
            "",
            True,
        ),
        (r"\bit isn't (?:true|the case|correct|right|likely) that\b", "", True),
        (
            r"\bit(?: is| was| seems| would be|'s)(?: \w{2,12}ly| very)? (?:false|"
            r"untrue|incorrect|wrong|a myth|unlikely|doubtful|improbable|implausible)"
            r"(?: to say)? that\b",
            "",
            True,
        ),
        (r"\b(?:i|we)(?: \w{2,12}ly| very much)? doubt (?:that|whether|if)\b",
         "", True),
    )
)  # fmt: skip
# "Not useless", "not wrong": less than its opposite; two denials in one clause: anyone's guess.
_HALF = re.compile(
    r"\bnot (?:useless|ineffective|uncommon|unsafe|unlikely|impossible|unreasonable|without"
    r"|insignificant|irrelevant|harmless|wrong|incorrect|false|untrue|doubtful)\b"
    r"|(?:\bnot|n't|\bcannot) (?:be )?(?:exclude|say|said|claim|rule|deny|doubt|confirm|refute)"
    r"(?:d| out)?\b",
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
