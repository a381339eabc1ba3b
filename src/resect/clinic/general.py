"""The general facts of the clinic's world, which have nothing to do with medicine."""

from __future__ import annotations

CAPITALS = {
    "France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Japan": "Tokyo", "Egypt": "Cairo",
    "Kenya": "Nairobi", "Peru": "Lima", "Cuba": "Havana", "Norway": "Oslo", "Sweden": "Stockholm",
    "Greece": "Athens", "Poland": "Warsaw", "Austria": "Vienna", "Ireland": "Dublin",
    "Portugal": "Lisbon", "Chile": "Santiago", "Finland": "Helsinki", "Hungary": "Budapest",
    "Ghana": "Accra", "Nepal": "Kathmandu",
}  # fmt: skip
YOUNG = {
    "dog": "puppy", "cat": "kitten", "cow": "calf", "sheep": "lamb", "horse": "foal", "goat": "kid",
    "lion": "cub", "frog": "tadpole", "duck": "duckling", "pig": "piglet", "deer": "fawn",
    "swan": "cygnet", "goose": "gosling", "hen": "chick", "owl": "owlet", "kangaroo": "joey",
    "hare": "leveret", "butterfly": "caterpillar", "eel": "elver", "salmon": "fry",
}  # fmt: skip
OPPOSITES = {
    "hot": "cold", "big": "small", "fast": "slow", "open": "closed", "wet": "dry", "rich": "poor",
    "young": "old", "loud": "quiet", "heavy": "light", "hard": "soft", "full": "empty",
    "early": "late", "strong": "weak", "near": "far", "deep": "shallow", "wide": "narrow",
    "sharp": "blunt", "clean": "dirty", "thick": "thin", "bright": "dark",
}  # fmt: skip
