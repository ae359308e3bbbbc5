"""Which placeholder stands for whom in a call."""

from collections.abc import Sequence

from consumers.ner.gazetteer import fold
from schemas.records import Placeholder


class Register:
    """The placeholders of one call, given in the order in which their owners were first named.

    Two names are one person where one has no word that the other lacks: "Daniel" and "Daniel Okello" are, "Daniel
    Okello" and "Mary Okello" are not. A phone number is known by its last nine digits, with or without country code.
    """

    def __init__(self, placeholders: Sequence[Placeholder] = ()) -> None:
        self._given = list(placeholders)

    @property
    def given(self) -> tuple[Placeholder, ...]:
        """All of them, oldest first."""
        return tuple(self._given)

    @property
    def names(self) -> frozenset[str]:
        """Every word of every name, folded."""
        return frozenset(word for entry in self._given if entry.label == "NAME" for word in entry.text.split())

    def placeholder(self, label: str, text: str) -> str:
        """What stands for `text`; a new placeholder if nothing does yet."""
        key = _key(label, text)
        for entry in self._given:
            if entry.label == label and entry.text == key:
                return entry.placeholder
        found = self._person(key) if label == "NAME" else None
        if found is None:
            found = f"[{label}_{1 + len({entry.placeholder for entry in self._given if entry.label == label})}]"
        self._given.append(Placeholder(label=label, text=key, placeholder=found))
        return found

    def _person(self, key: str) -> str | None:
        names = self.names
        words = {word if word in names else word.removesuffix("s") for word in key.split()}  # "daniels book"
        persons: dict[str, set[str]] = {}
        for entry in self._given:
            if entry.label == "NAME":
                persons.setdefault(entry.placeholder, set()).update(entry.text.split())
        return next((held for held, known in persons.items() if words <= known or known <= words), None)


def _key(label: str, text: str) -> str:
    if label in ("PHONE_NUMBER", "ID_NUMBER"):
        bare = "".join(char for char in fold(text) if char.isalnum())
        return bare[-9:] if label == "PHONE_NUMBER" else bare
    words = fold(text).replace(",", " ").split()
    return " ".join(words[1:] if len(words) > 1 and words[0] in ("the", "a", "an") else words)
