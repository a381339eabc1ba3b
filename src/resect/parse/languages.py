"""Yes, no and maybe, and what announces an answer, in the languages most spoken in hospitals."""

from __future__ import annotations

from typing import NamedTuple


class Language(NamedTuple):
    """Words, set apart by commas: for yes, no and maybe, for "answer", and between it and a label.

    Between stand verbs, adjectives, articles and "option", in any order.
    """

    yes: str
    no: str
    maybe: str
    answer: str
    between: str


LANGUAGES = {
    "English": Language(
        "y, yep, yeah, yup, true, correct, affirmative, indeed, of course, definitely, certainly, "
        "absolutely, that is correct, likely, most likely, very likely, probably, probably yes, "
        "without a doubt, without doubt, no doubt, no doubt about it",
        "n, nope, nah, false, incorrect, unlikely, very unlikely, highly unlikely, not at all, "
        "absolutely not, definitely not, certainly not, of course not, probably not, likely not, "
        "most likely not, very likely not, no way, by no means",
        "possibly, perhaps, uncertain, unclear, inconclusive, undetermined, not necessarily, "
        "not always, sometimes, not clear, it depends, that depends",
        "",
        "",
    ),
    "Spanish": Language(
        "sí, si, verdadero, cierto, claro que sí",
        "falso",
        "quizás, quizá, tal vez, posiblemente",
        "respuesta, respuesta final",
        "es, la, correcta, opción, letra",
    ),
    "French": Language(
        "oui, vrai",
        "non, faux",
        "peut-être",
        "réponse, reponse",
        "est, la, correcte, bonne, finale, option, lettre",
    ),
    "Portuguese": Language(
        "sim, verdadeiro",
        "não, nao",
        "talvez, possivelmente",
        "resposta",
        "é, correta, certa, opção, alternativa, letra",
    ),
    "German": Language(
        "ja, richtig, stimmt",
        "nein, falsch",
        "vielleicht, möglicherweise, unklar",
        "antwort",
        "ist, lautet, die, richtige, korrekte, option, buchstabe",
    ),
    "Italian": Language(
        "sì, vero", "", "forse", "risposta", "è, la, corretta, giusta, opzione, lettera"
    ),
    "Dutch": Language("", "nee", "misschien", "antwoord", "is, het, juiste, optie"),
    "Polish": Language("tak", "nie", "może", "odpowiedź", "jest, prawidłowa, poprawna"),
    "Russian": Language(
        "да, верно",
        "нет, неверно",
        "возможно, может быть, неясно",
        "ответ",
        "это, правильный, верный, вариант",
    ),
    "Turkish": Language("evet", "hayır", "belki", "cevap, yanıt", "doğru, şıkkı"),
    "Arabic": Language(
        "نعم, أجل", "لا, كلا", "ربما", "الإجابة, الجواب, إجابة", "هي, هو, الصحيحة, الصحيح, الخيار"
    ),
    "Hindi": Language("हाँ, हां, जी हाँ", "नहीं, जी नहीं", "शायद", "उत्तर, जवाब", "है, सही, विकल्प"),
    "Chinese": Language(
        "是, 是的, 对, 有, 会, 能",
        "否, 不, 不是, 没有, 不会, 不能",
        "也许, 可能, 不确定",
        "答案, 正确答案, 回答",
        "是, 为, 選項, 选项, 应该",
    ),
    "Japanese": Language(
        "はい, ええ, そうです", "いいえ, いえ", "多分, たぶん", "答え, 正解, 回答", "は, が"
    ),
    "Korean": Language("네, 예", "아니요, 아니오", "아마도, 아마", "정답, 답, 답변", "은, 는, 이"),
    "Vietnamese": Language("có, đúng", "không, sai", "có thể", "đáp án, câu trả lời", "là, đúng"),
    "Tagalog": Language("oo, opo", "", "baka, siguro", "sagot", "ay"),
}  # fmt: skip


def words(field: str) -> list[str]:
    """The words of one field in every language, longest first."""
    cells = (getattr(language, field) for language in LANGUAGES.values())
    distinct = {word for cell in cells for word in cell.split(", ") if word}
    return sorted(distinct, key=lambda word: (-len(word), word))
