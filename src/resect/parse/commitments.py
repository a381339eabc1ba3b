"""Sentences that commit to a label without announcing an answer: "so B", "not A but B"."""

from __future__ import annotations

from resect.parse.negation import WRONG

_TO_LABEL = (  # between a connective or "it is" and the label
    r"(?:[ \t]*(?:'s|=|:|\b(?:it|i|we|is|must|be|would|should|the|an?|correct|best|right|better|"
    r"choose|pick|select|say|go|with|option|choice|letter|answer|rather|only)\b)){0,8}"
)
_GOOD = (
    r"(?:(?:clearly|therefore|thus|actually|probably|indeed|definitely) )?(?:the )?"
    r"(?:(?:most|only|more) )?(?:\w{2,12}ly )?"
    r"(?:best|better|correct|right|appropriate|preferred|likely|answer|true"
    r"|my (?:final |first )?(?:answer|choice|pick))\b"
)
_BEGINS = (  # where a clause may begin
    r"(?:^|[.,;:!?…\n(–—-]|\b(?:but|so|then|that|and|thus|therefore|hence|think|believe|option|"
    r"choice|answer|letter|only|actually|however|while|though|as|because|since)\b)"
)
_EXCEPT = r"(?:except|but|besides|apart from|other than)(?: for)?\b"
_SIGNS = "✓✔✅❌✗✘"


def sources(plain: str, label: str, quotes: str) -> tuple[str, ...]:
    """Regular expressions for `Patterns`, from `endorsed` to `judged`.

    `plain` captures a label with nothing but quotes around it, `label` matches any.
    """
    to_label = rf"{_TO_LABEL}[{quotes}:]{{1,9}}"
    ended = r"[\s)*\"'`\]]{0,4}(?:$|[.!;\n,])"
    alone = r"(?=[\s)*\"']*(?:$|[.,;!?\n]|(?:or|and|because|since|as)\b))"  # no article
    others = r"\b(?:all|every\w{0,5})\b[^.;\n]{0,40}?\b"
    return (
        rf"{_BEGINS}[{quotes}]{{0,9}}{plain}[\"')*\]]{{0,4}} "
        r"(?:is|was|would be|seems|looks|remains)"
        rf"(?: {_GOOD}(?: (?:answer|choice|option|one|here|because|since|given|for|in)\b|"
        rf"[\s*)\"']*(?:$|[.,;!]))|[\s.!*]*$)|(?<![\w'-]){plain},? it is[\s.!]*$",
        r"\b(?:so|thus|hence|therefore|but|however|instead|then|finally)\b"
        rf"(?:[^.;\n]{{0,80}}(?<!\b\w),)?{to_label}{plain}{ended}",
        rf"(?:\bnot|n't)\b{to_label}(?:{label})(?!\w)[\"')*]{{0,4}},? (?:but|it's|it is)\b"
        rf"{to_label}{plain}{alone}",
        rf"{others}{WRONG} {_EXCEPT}{to_label}{plain}{ended}"
        rf"|{others}{_EXCEPT}{to_label}{plain}[\"')*]{{0,4}} (?:is|are|were|was) "
        rf"(?:\w{{2,12}}ly )?{WRONG}",
        rf"\b(?:perhaps|maybe|possibly|probably|likely) (?:option )?{plain}{alone}",
        rf"(?:^|[|\n,;{{]|(?<=[{_SIGNS}]))[ \t\"'(*_|-]{{0,9}}({label})(?!\w)[ \t\"')*_.]{{0,9}}"
        rf"(?:(?:[:|–—=-][ \t]*){{1,3}}|(?=[{_SIGNS}]))[ \t\"'*_]{{0,9}}"
        rf"(yes|no|true|false|correct|incorrect|right|wrong|best|x|[{_SIGNS}])"
        rf"(?=[ \t\"'*_.]*(?:$|[|,;}}\n])|(?<=[{_SIGNS}]))",
    )
