"""One text as the tiers see it: visible characters, folded words, labels in a row."""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property, lru_cache

from resect.parse.negation import rejects
from resect.parse.patterns import DENIED, patterns

WINDOW = 3000
_LOOP_WINDOW = 300
_MANY = 40

Verdict = tuple[str | None, str]
"""Answer and outcome."""


_WORD = re.compile(r"[^\W\d_]+")


def word_set(text: str) -> frozenset[str]:
    """A short word list, written as one line."""
    return frozenset(_WORD.findall(text))


FUNCTION = word_set(  # the closed classes of English, auxiliaries apart
    "a about across after against all along among an and any are as at be because been before "
    "between both but by do during each for from he her his how i if in into is it its more most "
    "no not of on or other our over per she since some such than that the their them then there "
    "these they this those through to toward towards under until upon was we were what when where "
    "whether which while who whose with within without you your"
)
AUXILIARIES = word_set(
    "do does did is are was were has have had can could should will would may might must"
)


class Reading:
    """One text with everything the tiers ask of it, folded at most once."""

    def __init__(
        self, shown: str, labels: tuple[str, ...], options: dict[str, str], question: str
    ) -> None:
        self.shown, self.labels, self.options, self.question = shown, labels, options, question
        self.patterns = patterns(labels)

    @cached_property
    def folded(self) -> str:
        """The text in the form option texts are compared in."""
        return fold(self.shown)

    @cached_property
    def words(self) -> list[str]:
        """Its words, in order."""
        return statement(self.shown)

    @cached_property
    def texts(self) -> dict[str, str | None]:
        """Folded option texts (else telling labels) to labels.

        The first of equal ones; none where they only look equal folded ("Aa" and "aa").
        """
        texts: dict[str, str | None] = {}
        telling = {
            lb: lb for lb in self.labels if len(lb) > 3 and "yes" not in self.patterns.canonical
        }
        sources = self.options or telling
        for label in self.labels:
            if folded := _folded(sources.get(label, "")):
                first = texts.setdefault(folded, label)
                if first and sources[first] != sources[label]:
                    texts[folded] = None
        return texts

    @cached_property
    def context(self) -> frozenset[str]:
        """The words of question and options."""
        return _words("\n".join((self.question, *self.options.values())))

    @cached_property
    def topic(self) -> frozenset[str]:
        """Stems of the words that question and options speak of."""
        return frozenset(map(stem, self.context - FUNCTION - AUXILIARIES))

    @cached_property
    def loops(self) -> bool:
        """Whether the text mostly repeats itself."""
        return _is_loop(self.folded)

    def label(self, match: re.Match[str]) -> str | None:
        """The label that a pattern matched, unless the words around it take it back.

        That is also a "no" that only denies the next word.
        """
        start, end = next(span for span in match.regs[1:] if span[0] >= 0)
        denies = self.shown[start:end].casefold() == "no" and DENIED.match(self.shown, end)
        return None if denies or rejects(self.shown, start, end) else self.canonical(match)

    def canonical(self, match: re.Match[str]) -> str | None:
        """The label that a pattern matched, whatever stands around it."""
        word = next(group for group in match.groups() if group is not None)
        return self.patterns.canonical.get(" ".join(word.split()).casefold())

    def listed(self, match: re.Match[str]) -> list[str]:
        """The labels that follow one another from the one found on."""
        first = self.label(match)
        listed, end = [first] if first else [], match.end()
        while listed and len(listed) < _MANY:
            following = self.patterns.another.match(self.shown, end)
            if not following:
                break
            label, gap = self.label(following), self.shown[end : following.end() - 1]
            if not label:  # "A and C are wrong"
                return listed if {".", "\n"} & set(gap) else []
            letter = label.isalpha() and len(label) == 1 and listed == [first] != [label]
            started = "." in gap or ("\n" in gap and label in "aA")
            if letter and started and following.end() == len(self.shown):
                break  # "D. A": the first letter of what came next, cut short
            listed.append(label)
            end = following.end()
        return listed


_CLOSING_TAG = re.compile(r"</([a-zA-Z]\w{0,9})>")
# Between a script without blanks and a letter or digit.
_SCRIPT_EDGE = re.compile(
    r"(?<=[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3])(?=[A-Za-z0-9])"
    r"|(?<=[A-Za-z0-9])(?=[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3])"
)
_LATEX_TEXT = re.compile(
    r"\\(?:text(?:bf|it|rm|tt|sf)?|math(?:bf|rm|sf|it|tt)|mbox|emph|underline)\s{0,9}(?:\{([^{}]{0,200})\}|(?=\{))"
)
_LATEX_SPACE = re.compile(r"\\[()\[\],;:! ]")
_SPECIAL = re.compile(r"<\|[^<>|\s]{1,40}\|>")  # a token of the tokenizer ("<|end|>")
_MARKS = {"Pi": '"', "Pf": '"', "Ps": "(", "Pe": ")"}


def visible(text: str) -> str:
    """Both ends of the text: compatibility forms and quotes plain, tags and controls gone."""
    ends = text if len(text) <= 2 * WINDOW else f"{text[:WINDOW]}\n{text[-WINDOW:]}"
    if not ends.isascii():  # quotes and brackets of any script
        normal = unicodedata.normalize("NFKC", ends).replace("‘", "'").replace("’", "'")
        ends = "".join(c if c < "\x80" else _MARKS.get(unicodedata.category(c), c) for c in normal)
    shown = "".join(c for c in ends if c.isprintable() or c in "\n\t").strip()
    if not shown.isascii():
        shown = _SCRIPT_EDGE.sub(" ", shown)
    if "\\" in shown:
        shown = _LATEX_SPACE.sub(" ", _LATEX_TEXT.sub(r"\1", shown)).strip()
    if "<|" in shown:
        shown = _SPECIAL.sub(" ", shown).strip()
    tags = {"br", *_CLOSING_TAG.findall(shown)} - {"answer"}
    return re.sub(rf"</?(?:{'|'.join(sorted(tags))})\s?/?>", " ", shown) if "<" in shown else shown


_NUMBER = r"(?:(?<![\w.)%\]-])[-−](?=[.\d]))?(?:\d+(?:,\d{3})+(?!\d)|\d+(?:\.\d+)?|\.\d+)"
# A number, a character of a script without blanks, a word, or a symbol that means something.
_TOKEN = re.compile(
    _NUMBER + r"|[\u3040-\u30ff\u3400-\u9fff]|[^\W\d_]+|[^\w\s.,;:!?\"'`*_()\[\]{}#/|\\$-]"
)


def fold(text: str) -> str:
    """Lower case, tokens between single blanks, numbers in their shortest form."""
    tokens = _TOKEN.findall(text.casefold())
    return " ".join(_plain(t) if t[-1].isdecimal() else t for t in tokens)


def _plain(number: str) -> str:
    """1.0 and 1 are the same number, and so are 1,000 and 1000."""
    sign = "-" if number[0] in "-−" else ""
    whole, _, fraction = number.lstrip("-−").replace(",", "").partition(".")
    fraction = fraction.rstrip("0")
    return sign + (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


@lru_cache(maxsize=4096)
def _folded(option: str) -> str:
    return fold(visible(option))


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold()))


def statement(text: str) -> list[str]:
    """The words of a sentence, with its denial as a word of its own."""
    return _WORD.findall(text.casefold().replace("n't", " not").replace("'s", ""))


def stem(word: str) -> str:
    """What inflected forms of a word share, near enough."""
    return word[:5]


_REPEAT = re.compile(r"(.{1,60}?)\1{2,}")


def _is_loop(folded: str) -> bool:
    """Most of the text is one unit three times over, or most words recur at one distance."""
    text = f"{folded[:_LOOP_WINDOW]} "
    repeated = sum(m.end() - m.start() for m in _REPEAT.finditer(text) if m.end() - m.start() > 4)
    if repeated * 2 > len(text):
        return True
    words = text.split()
    recur = (
        sum(
            b == a or (b == words[-1] and a.startswith(b))
            for a, b in zip(words, words[k:], strict=False)
        )
        for k in range(1, 9)
    )
    return max(recur) >= max(1, len(words) / 2)
