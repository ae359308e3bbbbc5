"""Very short sentences are translated with the one before them.

Alone they mean too little: measured on the packaged pt–en model, "Não sabe." alone becomes "I don't know.", behind "A
tua mãe sabe disto?" it becomes "Don't know."; "Faz dois anos." becomes "Two years ago." instead of "It's been two
years.". But given two sentences a model may drop one or make one of both, so the result counts only if it can be cut.
"""  # noqa: RUF002

from dataclasses import dataclass

from consumers.translation.sentences import split

_SHORT = 3  # words
_LONGEST_BEFORE = 25  # words; the whole stays well below what a model translates faithfully


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a model translates at once, and the sentence before it where it needs one."""

    text: str
    before: str = ""

    @property
    def together(self) -> str:
        """Both, as they were said."""
        return f"{self.before} {self.text}"


def in_context(text: str, before: str) -> Sentence:
    """A sentence with the one before it ("" if none is), if it is short and that is not too long and ended."""
    needs_it = len(text.split()) <= _SHORT and len(before.split()) <= _LONGEST_BEFORE
    return Sentence(text, before if before and needs_it and len(split(f"{before} {text}")) > 1 else "")


def last_of(together: str, before: str, alone: str) -> str | None:
    """The short sentence's part of what both became together; None if it can't be told.

    `before` and `alone` are what each became by itself: together they must come to as many sentences.
    """
    sentences, own = split(together), len(split(alone))
    if not own or len(sentences) != len(split(before)) + own:
        return None
    return " ".join(sentences[-own:])
