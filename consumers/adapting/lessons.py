"""What the encoder is taught: every example of the corpus but those held out, each with the labels it is told apart by.

A lesson has several ways to be said, and one is drawn each time: a run of a caller's sentences, the windows that a call
is judged by; sometimes after what somebody else says, sometimes as speech recognition writes it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from consumers.adapter import is_held_out
from consumers.alerts.dangers import HIGH, NONE, Dangers, Scene
from consumers.alerts.judging import windows
from consumers.corpus import Corpus, as_recognised

_RUN = 0.4  # how often only some of a caller's sentences are said
_BEFORE = 0.25  # how often something else is said before
_BARE = 0.3  # how often it is written as speech recognition does
_NO_CASE_TIMES = 2  # they are few


@dataclass(frozen=True, slots=True)
class Lesson:
    """`ways`: sentences that belong together, in each way; `before`: what may be said before; `labels` by task."""

    ways: Sequence[Sequence[str]]
    labels: Mapping[str, str]
    before: Sequence[str] = ()

    @property
    def length(self) -> int:
        """Characters, about."""
        return max(sum(map(len, way)) for way in self.ways)

    def said(self, draw: Random) -> str:
        """One way to say it."""
        sentences = list(draw.choice(self.ways))
        if len(sentences) > 1 and draw.random() < _RUN:
            size = draw.randint(1, len(sentences))
            first = draw.randint(0, len(sentences) - size)
            sentences = sentences[first : first + size]
        if self.before and draw.random() < _BEFORE:
            sentences.insert(0, draw.choice(self.before))
        text = " ".join(sentences)
        return as_recognised(text) if draw.random() < _BARE else text


def lessons(corpus: Corpus, dangers: Dangers) -> list[Lesson]:
    """Five tasks: sub-category, priority and intervention of a case (and that there is none), the matter of a danger
    (and that it is none), and what a sentence of a counsellor or of small talk does."""
    asked, told = (
        [text for text in texts if not is_held_out(text)] for texts in (dangers.counsellors, corpus.small_talk)
    )
    return [
        *_cases(corpus, told),
        *(
            Lesson([[each.text]], {"matter": each.matter} | ({"priority": HIGH} if each.level else {}), asked)
            for each in dangers.passages
            if not is_held_out(each.text)
        ),
        *(lesson for scene in dangers.scenes if not is_held_out(scene.key) for lesson in _of_scene(scene)),
        *(Lesson([[text]], {"act": act}) for act, text in _acts(corpus, dangers) if not is_held_out(text)),
    ]


def _cases(corpus: Corpus, before: Sequence[str]) -> Iterator[Lesson]:
    for one in corpus.examples:
        labels = {"sub": f"{one.main}:{one.sub}", "priority": one.priority, "intervention": one.intervention}
        if not is_held_out(" ".join(one.says)):
            yield Lesson([one.says], labels, before)
    for says in corpus.no_case:
        if not is_held_out(" ".join(says)):
            yield from [Lesson([says], {"sub": NONE, "matter": NONE}, before)] * _NO_CASE_TIMES


def _of_scene(scene: Scene) -> Iterator[Lesson]:
    """Every turn of the caller up to the one that tells of danger; whatever follows is told of it by then."""
    for number, turn in enumerate(scene.turns):
        if scene.danger is not None and number > scene.danger:
            return
        told = number == scene.danger
        if turn.speaker == "agent" or (told and scene.matter == NONE):
            continue
        yield Lesson(
            [[text] for text in windows(turn, scene.turns[:number])], {"matter": scene.matter if told else NONE}
        )


def _acts(corpus: Corpus, dangers: Dangers) -> Iterator[tuple[str, str]]:
    for kind, table in (
        ("shows", corpus.shows),
        ("lacks", corpus.lacks),
        ("action", corpus.actions),
        ("urgency", corpus.urgency),
    ):
        for name, texts in table.items():
            yield from ((f"{kind}:{name}", text) for text in texts)
    for name, texts in (
        ("small talk", corpus.small_talk),
        ("rescue", (*dangers.rescue, *dangers.said_back)),
        ("withdrawn", dangers.withdrawn),
        ("standing", dangers.standing),
    ):
        yield from ((name, text) for text in texts)
