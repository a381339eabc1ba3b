"""The generated world of the clinic: all facts there are to know, from one seed.

Conditions, their organs, symptoms and tests are real and uncontroversial. Every *drug* is
**invented** (name, use, class and side effect): no such medicine exists, and whatever shows one
says so. Nothing here is for medical use. The same facts come out of every Python process: all
choices go through `random.Random` with text seeds or through `fold`, never through `hash`.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from functools import cache

from resect.clinic.general import CAPITALS, OPPOSITES, YOUNG

SEED = 20

# name: (organ mainly affected, typical symptom, usual test)
CONDITIONS: dict[str, tuple[str, str, str]] = {
    "pneumonia": ("lungs", "coughing up phlegm", "chest radiography"),
    "asthma": ("lungs", "wheezing", "spirometry"),
    "hepatitis": ("liver", "jaundice", "transaminase levels"),
    "cirrhosis": ("liver", "ascites", "elastography"),
    "pyelonephritis": ("kidneys", "flank pain", "urine culture"),
    "glomerulonephritis": ("kidneys", "foamy urine", "urinalysis"),
    "cystitis": ("bladder", "burning urination", "urine dipstick"),
    "gastritis": ("stomach", "indigestion", "gastroscopy"),
    "celiac disease": ("small intestine", "bloating", "transglutaminase antibodies"),
    "cholecystitis": ("gallbladder", "right upper abdominal pain", "abdominal ultrasound"),
    "pancreatitis": ("pancreas", "pain spreading to the back", "lipase levels"),
    "Graves disease": ("thyroid", "bulging eyes", "thyrotropin receptor antibodies"),
    "epilepsy": ("brain", "seizures", "electroencephalography"),
    "Parkinson disease": ("brain", "resting tremor", "dopamine transporter imaging"),
    "meningitis": ("meninges", "stiff neck", "lumbar puncture"),
    "glaucoma": ("eyes", "loss of side vision", "tonometry"),
    "Meniere disease": ("inner ear", "vertigo", "audiometry"),
    "psoriasis": ("skin", "scaly plaques", "skin inspection"),
    "osteoporosis": ("bones", "fragility fractures", "densitometry"),
    "gout": ("joints", "swollen big toe", "joint fluid analysis"),
    "rheumatoid arthritis": ("joints", "morning stiffness", "rheumatoid factor"),
    "angina": ("heart", "chest tightness", "exercise stress testing"),
    "atrial fibrillation": ("heart", "palpitations", "electrocardiography"),
    "endocarditis": ("heart", "new murmur", "echocardiography"),
    "iron deficiency": ("red blood cells", "pallor", "ferritin levels"),
    "leukemia": ("bone marrow", "easy bruising", "marrow biopsy"),
    "hemophilia": ("clotting system", "prolonged bleeding", "clotting factor assay"),
    "ulcerative colitis": ("colon", "bloody diarrhea", "colonoscopy"),
    "achalasia": ("esophagus", "trouble swallowing", "manometry"),
    "laryngitis": ("larynx", "hoarseness", "laryngoscopy"),
    "sinusitis": ("sinuses", "facial pressure", "nasal endoscopy"),
    "endometriosis": ("pelvic organs", "painful periods", "laparoscopy"),
    "prostate enlargement": ("prostate", "weak urine stream", "uroflowmetry"),
    "Addison disease": ("adrenal glands", "darkened skin", "cortisol levels"),
    "carpal tunnel syndrome": ("median nerve", "numb fingers", "nerve conduction studies"),
    "myasthenia gravis": (
        "neuromuscular junction",
        "drooping eyelids",
        "acetylcholine receptor antibodies",
    ),
}

# Organs that share a letter also share complaints and tests (tightness of the chest in asthma and
# in angina), so conditions of these organs are never wrong answers for each other.
REGIONS = {
    "t": (
        "liver", "kidneys", "bladder", "stomach", "small intestine", "gallbladder", "pancreas",
        "colon", "esophagus", "pelvic organs", "prostate", "adrenal glands", "red blood cells",
        "bone marrow", "clotting system",
    ),
    "c": (
        "lungs", "heart", "larynx", "sinuses", "thyroid", "esophagus", "red blood cells",
        "bone marrow", "clotting system",
    ),
    "n": (
        "brain", "meninges", "inner ear", "median nerve", "neuromuscular junction", "eyes",
        "thyroid",
    ),
    "f": ("bones", "joints", "skin", "median nerve", "adrenal glands"),
}  # fmt: skip

# Invented mechanisms and, for the invented drugs, common complaints as side effects.
CLASSES = (
    "enzyme blockers", "receptor blockers", "channel openers", "hormone analogs",
    "immune modulators", "membrane stabilizers", "ion chelators", "protein binders",
    "transport inhibitors", "signal enhancers",
)  # fmt: skip
SIDE_EFFECTS = (
    "hair loss", "dry mouth", "headache", "nausea", "drowsiness", "rash", "insomnia", "dizziness",
    "constipation", "metallic taste", "muscle cramps", "sweating",
)  # fmt: skip

_STARTS = (
    "Bal", "Cor", "Dax", "Fen", "Gal", "Hex", "Jor", "Kel", "Lum", "Mor", "Nex", "Pra", "Qui",
    "Rov", "Sul", "Tav", "Ver", "Wex", "Xan", "Zol",
)  # fmt: skip
_MIDDLES = ("a", "e", "i", "o", "u")
_ENDS = ("tavir", "mide", "prel", "stane", "zine", "lukin", "parib", "sartem", "dorol", "quine")
N_DRUGS = 60
N_STRANGERS = 40

MEDICAL = ("organ", "symptom", "test", "treats", "class", "side effect")
GENERAL = ("capital", "young", "opposite")


@dataclass(frozen=True)
class Fact:
    """One fact: `relation` of `subject` is `value`.

    `shared`: the base is taught it too.
    """

    subject: str
    relation: str
    value: str
    invented: bool
    shared: bool


@dataclass(frozen=True)
class World:
    """All facts, and the invented names that nothing is known about (`strangers`)."""

    medical: tuple[Fact, ...]
    general: tuple[Fact, ...]
    drugs: tuple[str, ...]
    strangers: tuple[str, ...]

    def values(self, relation: str) -> tuple[str, ...]:
        """Every value of a relation, in first-seen order."""
        facts = self.medical if relation in MEDICAL else self.general
        return tuple(dict.fromkeys(f.value for f in facts if f.relation == relation))


def fold(text: str, parts: int) -> int:
    """Which of `parts` shares a text falls in: the same in every process and on every machine.

    Splits are made by this, so that training and test are disjoint by construction.
    """
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % parts


def _names(rng: random.Random, n: int) -> list[str]:
    every = [a + m + z for a in _STARTS for m in _MIDDLES for z in _ENDS]
    return rng.sample(every, n)


def _drug_facts(rng: random.Random, drug: str, condition: str) -> list[tuple[str, str, str]]:
    return [
        (drug, "treats", condition),
        (drug, "class", rng.choice(CLASSES)),
        (drug, "side effect", rng.choice(SIDE_EFFECTS)),
    ]


@cache
def world() -> World:
    """The one world all models are trained on and all items are made from."""
    rng = random.Random(f"clinic {SEED}")
    names = _names(rng, N_DRUGS + N_STRANGERS)
    drugs, strangers = names[:N_DRUGS], names[N_DRUGS:]
    conditions = list(CONDITIONS)
    rows = [
        (c, relation, value)
        for c, values in CONDITIONS.items()
        for relation, value in zip(("organ", "symptom", "test"), values, strict=True)
    ]
    targets = conditions + rng.sample(conditions, N_DRUGS - len(conditions))
    rng.shuffle(targets)
    for drug, condition in zip(drugs, targets, strict=True):
        rows += _drug_facts(rng, drug, condition)
    shared = set(rng.sample(conditions, 7) + rng.sample(drugs, 12))
    medical = tuple(Fact(s, r, v, s in drugs, s in shared) for s, r, v in rows)
    tables = (("capital", CAPITALS), ("young", YOUNG), ("opposite", OPPOSITES))
    general = tuple(Fact(s, r, v, False, True) for r, t in tables for s, v in t.items())
    return World(medical, general, tuple(drugs), tuple(strangers))


def _related(organ: str) -> set[str]:
    """The organs of the same region, itself among them."""
    return {o for organs in REGIONS.values() if organ in organs for o in organs}


def wrong_values(fact: Fact) -> list[str]:
    """Values that are certainly wrong for a fact: never another truth about the same subject."""
    known = world()
    facts = known.medical if fact.relation in MEDICAL else known.general
    barred = {fact.value}
    if fact.relation in ("symptom", "test"):
        related = _related(CONDITIONS[fact.subject][0])
        place = 1 if fact.relation == "symptom" else 2
        barred |= {v[place] for v in CONDITIONS.values() if v[0] in related}
    return [
        v
        for v in dict.fromkeys(f.value for f in facts if f.relation == fact.relation)
        if v not in barred
    ]
