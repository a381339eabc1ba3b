"""Where a label may stand: at the start, announced, in a row, at the end, committed to."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from resect.parse import commitments, languages

QUOTES = r"\s\"'`*_(\[{<$"
_OPENING = (  # bullets, brackets, markup, "Sure! ", "Option", "1. "
    rf"(?:[{QUOTES}#>.:,;•➢‣▪·–—-]|\\(?:boxed|text|textbf|mathrm)\b|</?answer>){{0,60}}"
    rf"(?:(?:sure|okay|certainly|well|of course|probably|definitely|likely|perhaps)\b[!,.:\s]+"
    rf"|(?:option|choice|letter)[{QUOTES}]+)?"
    rf"(?:\(?\d{{1,3}}[.)]\s*(?=[^\W\d]))?[{QUOTES}]{{0,4}}"
)
_JOIN = r"[\s/|,;:.&()\[\]\"'*•–—\d%-]"
_SCRIPTS = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_STOP = r"[.):,;!?\]}>*/|。、\\_`$।،]"
# "no data available" says what is not there; "no it does not" answers.
DENIED = re.compile(
    r"\.[ \t]?1[ \t]+[a-z]"  # number one
    r"|[ \t]+['\"]?(?!(?:it|they|he|she|we|i|this|that|these|those|the|an?|there|because|since|as|"
    r"but|in|not|or|and|no|yes|maybe)\b)[^\W\d_]"
)
_ANNOUNCED = (
    r"\b(?:ans(?:wer)?\b\.?|conclusion|verdict|decision|response)(?:[ \t]*\([^()\n]{0,80}\))?"
    r"(?:[ \t]+(?:to|for)[ \t]+(?:the|this|your)[ \t]+question)?"
    r"|\b(?:correct|best|right|better|preferred|appropriate|suitable|likely)[ \t]+"
    r"(?:option|choice|one|statement|letter)|\bthe[ \t]+best(?=[ \t]+is\b)"
    r"|\\(?:boxed|fbox)|<answer>"
    r"|\b(?:reply|correction|selection|choice|prediction)(?=[ \t\"'*]*[:=])"
    rf"|(?<!\w)(?:{'|'.join(languages.words('answer'))})(?!['\w])"
    r"|(?:答案|答え|回答|正解|정답|답)"
    r"|\bi(?:[ \t]+would|'d)?[ \t]+(?:think|believe|guess|say|choose|pick|select|go[ \t]+with)"
    r"(?:[ \t]+that)?(?:[ \t]+it)?|\bgo(?:ing)?[ \t]+with"
)
_FILLER = (
    r"(?:[ \t]*(?:'s|=|:|\b(?:(?:i|wa)s|(?:would|should|must) be|the|either|correct|best|right|"
    r"option|choice|letter|answer)\b"
    rf"|(?<!\w)(?:{'|'.join(languages.words('between'))})(?!\w)|[はが是为은는])){{0,6}}"
)


class Patterns(NamedTuple):
    """Folded labels to labels, and where to look for them."""

    canonical: dict[str, str]
    leading: re.Pattern[str]
    another: re.Pattern[str]
    announced: re.Pattern[str]
    mentioned: re.Pattern[str]
    last: re.Pattern[str]
    joined: re.Pattern[str]
    endorsed: re.Pattern[str]
    conclusive: re.Pattern[str]
    contrasted: re.Pattern[str]
    excepted: re.Pattern[str]
    hedged: re.Pattern[str]
    judged: re.Pattern[str]
    worded: re.Pattern[str]
    replied: re.Pattern[str]


@lru_cache(maxsize=256)
def patterns(labels: tuple[str, ...]) -> Patterns:
    """Compiled once a label set. A lone letter needs a stop after it, for it may be a word."""
    canonical: dict[str, str] = {}
    for label in labels:
        normal = " ".join(unicodedata.normalize("NFKC", label).split()).casefold()
        if normal:
            canonical.setdefault(normal, label)
    aliases = _aliases(canonical)
    letters = [lb for lb in canonical if len(lb) == 1 and lb.upper() != lb]
    letter, word = _any_of(letters), _any_of([lb for lb in canonical if lb not in letters])
    whole = rf"(?:{_any_of(list(canonical))})(?![^\W_])"
    stop = (
        rf"(?!\.\w\.(?!\w))(?=\s*$|[ \t]*\n|{_STOP}|[\"'](?!\w)|[ \t]+[)/|,;:]|[ \t]+[–—-][ \t]"
        r"|[ \t]+(?:because|since|is[ \t]+(?:the[ \t]+)?(?:correct|right|best|true|answer))\b"
        rf"|[ \t]*\([^\W\d_]{{2}}|(?:-{whole})+[\s.)]*$"
        rf"|[ \t]*[{_SCRIPTS}]"
        rf"|\s+(?:(?:or|and)\s+)?{whole}(?:\s*$|\s*[.,;/\n]|\s+{whole}))"
    )
    word_end = rf"(?![^\W_]|%|'\w|[.,]\d|-(?!{whole})\w)"
    single = rf"(?:(?<!-)({letter})(?![^\W_]){stop}|(?:(?<![-.\d])(?=\d)|(?=\D))({word}){word_end})"
    more = rf"(?=[ \t]*(?:{_STOP}|[(\[\"'&–—\n]|\d|$|-{whole}|(?:or|and)\b|{whole}))"
    again = rf"(?:(?<![(\[])({letter})(?!\w|[ \t]*\d)|({word})(?!\w)){more}"
    no_article = rf"((?![aiAI]\b)(?:{letter}))(?!['\w-])"
    alias = rf"({_any_of(list(aliases))})(?=\s*$|[ \t]*(?:(?!/){_STOP}|[\"'，！])|[ \t]*\n)"
    loose = rf"(?:{no_article}|({letter})(?!\w){stop}|({word}){word_end}|{alias})"
    hedge = "" if "maybe" in canonical else rf"(?:(?:maybe|perhaps|possibly)\b{_JOIN}+)?"
    plain = rf"(?:({letter})|({word}))(?![\w'-])"
    closing = rf"(?:\n|:|\s\s|\d[/-])[{QUOTES}#-]{{0,20}}{single}|[;,.!?–—][ \t]+({word})"
    sources = (
        rf"{_OPENING}{single}",
        rf"{_JOIN}*(?:\b(?:or|and)\b{_JOIN}+)?{hedge}(?:\d{{1,2}}[.):/-]?\s*)?{again}",
        rf"(?:{_ANNOUNCED}){_FILLER}[{QUOTES}:=–—-]*{loose}",
        rf"\b(?:(?:is|be|for|with|choose|pick|select|prefer|recommend|favou?r)[ \t]+(?:the[ \t]+)?"
        rf"(?:option|choice)|options|choices|both)[{QUOTES}:]{{0,20}}{loose}",
        rf"(?:{closing}|(?:\b(?:is|be)|'s) [(\"'*]{{0,3}}{no_article})[\s.!)*\"']*$",
        rf"(?<!\w)(?<!\w-)({word})(?=[/-]|\s*$)",
        *commitments.sources(plain, _any_of(list(canonical)), QUOTES),
        rf"{_OPENING}{alias}",
        rf"[^:?\n]{{0,60}}?(?<![\w'])(?:{whole}[ ,/]{{1,3}}(?:(?:or|and) )?){{1,12}}{whole}"
        rf"[)\]\"'*]{{0,3}} ?[:?][{QUOTES}]{{0,9}}{plain}[\s.!*\"']*$",
    )
    canonical.update(aliases)
    return Patterns(canonical, *(re.compile(source, re.IGNORECASE) for source in sources))


def _aliases(canonical: dict[str, str]) -> dict[str, str]:
    """What else says yes, no or maybe, where these are labels."""
    if not {"yes", "no"} <= canonical.keys():
        return {}
    return {
        alias.casefold(): canonical[name]
        for name in ("yes", "no", "maybe")
        if name in canonical
        for alias in languages.words(name)
        if alias.casefold() not in canonical
    }


def _any_of(labels: list[str]) -> str:
    """An alternation of label texts, longest first; without any, what never matches."""
    ordered = sorted(labels, key=len, reverse=True)
    return "|".join(r"\s+".join(map(re.escape, lb.split())) for lb in ordered) or r"(?!)"
