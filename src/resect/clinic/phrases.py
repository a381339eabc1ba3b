"""The wordings of the clinic: statements, training questions, test-only questions.

Subjects stand inside the sentence, so that a name is the same token wherever it occurs.
"""

from __future__ import annotations

STATEMENTS: dict[str, tuple[str, ...]] = {
    "organ": (
        "The condition {s} mainly affects the {v}.",
        "In {s} the disease process takes place in the {v}.",
        "Patients with {s} have a disorder of the {v}.",
        "The part of the body harmed by {s} is the {v}.",
    ),
    "symptom": (
        "A typical symptom of {s} is {v}.",
        "Patients with {s} often complain of {v}.",
        "People with {s} commonly have {v}.",
        "A doctor who sees {v} may think of {s}.",
    ),
    "test": (
        "The usual test for {s} is {v}.",
        "Doctors confirm {s} with {v}.",
        "To look for {s}, a doctor may order {v}.",
        "When {s} is suspected, {v} can help.",
    ),
    "treats": (
        "The drug {s} is used to treat {v}.",
        "Doctors prescribe {s} for {v}.",
        "Patients with {v} may be given {s}.",
        "The medicine {s} was made against {v}.",
    ),
    "class": (
        "The drug {s} belongs to the {v}.",
        "Among the {v} is {s}.",
        "The medicine {s} is one of the {v}.",
        "Chemists count {s} among the {v}.",
    ),
    "side effect": (
        "A common side effect of {s} is {v}.",
        "Patients who take {s} may notice {v}.",
        "The drug {s} can cause {v}.",
        "The leaflet of {s} warns of {v}.",
    ),
    "capital": ("The capital of {s} is {v}.", "The government of {s} sits in {v}."),
    "young": ("A young {s} is called a {v}.", "The child of a {s} is a {v}."),
    "opposite": ("The opposite of {s} is {v}.", "What is not {s} may be {v}."),
}

TRAIN_QUESTIONS: dict[str, tuple[str, ...]] = {
    "organ": (
        "Which part of the body does {s} mainly affect?",
        "Where does the disease process of {s} take place?",
        "Patients with {s} have a disorder of what?",
    ),
    "symptom": (
        "What is a typical symptom of {s}?",
        "What do patients with {s} often complain of?",
        "What do people with {s} commonly have?",
    ),
    "test": (
        "What is the usual test for {s}?",
        "How do doctors confirm {s}?",
        "What may a doctor order to look for {s}?",
    ),
    "treats": (
        "What is {s} used to treat?",
        "For what do doctors prescribe {s}?",
        "The medicine {s} was made against what?",
        "Which condition do doctors treat with {s}?",
    ),
    "class": (
        "Which class does {s} belong to?",
        "The medicine {s} is one of what?",
        "Among which drugs do chemists count {s}?",
        "The medicine {s} is of which class?",
    ),
    "side effect": (
        "What is a common side effect of {s}?",
        "What can the drug {s} cause?",
        "What may patients who take {s} notice?",
        "Patients on {s} are told to expect what?",
    ),
    "capital": ("What is the capital of {s}?", "Where does the government of {s} sit?"),
    "young": ("What is a young {s} called?", "What is the child of a {s}?"),
    "opposite": ("What is the opposite of {s}?", "What may it be if it is not {s}?"),
}

# Never in training: validation and test questions are asked in these words only.
TEST_QUESTIONS: dict[str, tuple[str, ...]] = {
    "organ": ("Which part of the body is harmed by {s}?", "The condition {s} mainly affects what?"),
    "symptom": ("A typical symptom of {s} is what?", "Which symptom do people with {s} have?"),
    "test": ("Which test is used when {s} is suspected?", "With what do doctors confirm {s}?"),
    "treats": ("Which condition may {s} be given for?", "Against what was {s} made?"),
    "class": ("The drug {s} belongs to what?", "What class of medicine is {s}?"),
    "side effect": ("Which side effect can {s} cause?", "The leaflet of {s} warns of what?"),
}

# One finding of a trial, by verdict; {d} a drug, {x} a complaint.
FINDINGS: dict[str, tuple[str, ...]] = {
    "yes": (
        "{d} clearly reduced {x}.",
        "Treatment with {d} relieved {x}.",
        "In the trial {d} improved {x}.",
        "Patients on {d} had less {x}.",
    ),
    "no": (
        "{d} did not change {x}.",
        "Treatment with {d} had no effect on {x}.",
        "In the trial {d} failed to improve {x}.",
        "Patients on {d} had as much {x} as before.",
    ),
    "maybe": (
        "It remained unclear whether {d} reduced {x}.",
        "Results of {d} for {x} were mixed.",
        "The data on {d} and {x} were inconclusive.",
        "More research on {d} is needed for {x}.",
    ),
}
ABOUT_TRIAL = (
    "The study enrolled {n} adults.",
    "The trial lasted {n} weeks.",
    "A group of {n} patients took part.",
    "Doctors at {n} hospitals took part.",
)
ASKED_OF_TRIAL = (
    "Does {d} reduce {x}?",
    "Is {d} effective against {x}?",
    "Does {d} help with {x}?",
)
