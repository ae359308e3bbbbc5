"""What two spellings of a word have in common."""

import unicodedata


def fold(word: str) -> str:
    """`word` without case and accents."""
    return "".join(char for char in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(char))
