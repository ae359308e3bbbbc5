"""Which placeholder stands for whom in a call."""

from collections.abc import Container, Sequence

from consumers.ner.sounds import sound
from consumers.spelling import fold
from schemas.records import Placeholder

_PARENTS = frozenset({"mama", "baba", "mai", "amai", "maama"})  # called after their child
_TELLING = 2  # consonants; of fewer too many names have the same
_LONG = 5  # letters; of a shorter name one letter makes another


class Register:
    """The placeholders of one call, given in the order in which their owners were first named.

    Two names are one person where one has no word that the other lacks: "Daniel" and "Daniel Okello" are, "Daniel
    Okello" and "Mary Okello" are not; nor are "Mama Ineza" and her child Ineza. A word of `listed` is spelt as it is
    meant; of any other one letter may be wrong, or all that leaves its sound: "Nyakalo" is Nyakallo, "Camau" Kamau.
    A phone number is known by its last nine digits, with or without country code.
    """

    def __init__(self, placeholders: Sequence[Placeholder] = (), listed: Container[str] = ()) -> None:
        self._given = list(placeholders)
        self._listed = listed

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
        said = key.split()
        if not _PARENTS.isdisjoint(said[:1]):
            return None
        words = {self._known(word, names) for word in said}
        persons: dict[str, set[str]] = {}
        for entry in self._given:
            if entry.label == "NAME" and _PARENTS.isdisjoint(entry.text.split()[:1]):
                persons.setdefault(entry.placeholder, set()).update(entry.text.split())
        return next((held for held, known in persons.items() if words <= known or known <= words), None)

    def _known(self, word: str, names: frozenset[str]) -> str:
        """The word of the call that `word` is: "daniels", "danel"."""
        if word in names:
            return word
        if word.removesuffix("s") in names:
            return word.removesuffix("s")
        if word in self._listed or len(word) < _LONG:
            return word
        long = [name for name in names if len(name) >= _LONG]
        return min((name for name in long if _one_letter_apart(word, name) or _sound_alike(word, name)), default=word)


def _sound_alike(a: str, b: str) -> bool:
    heard = sound((a,))
    return len(heard.consonants) >= _TELLING and heard == sound((b,))


def _one_letter_apart(a: str, b: str) -> bool:
    """Whether one letter put in, left out or changed makes `a` of `b`."""
    short, long = sorted((a, b), key=len)
    if len(long) - len(short) > 1:
        return False
    same = next((at for at, (x, y) in enumerate(zip(short, long, strict=False)) if x != y), len(short))
    return short[same + (len(short) == len(long)) :] == long[same + 1 :]


def _key(label: str, text: str) -> str:
    if label in ("PHONE_NUMBER", "ID_NUMBER"):
        bare = "".join(char for char in fold(text) if char.isalnum())
        return bare[-9:] if label == "PHONE_NUMBER" else bare
    words = fold(text).replace(",", " ").split()
    return " ".join(words[1:] if len(words) > 1 and words[0] in ("the", "a", "an") else words)
