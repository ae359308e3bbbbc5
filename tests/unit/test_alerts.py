"""The alerts group, on the real encoder and the committed heads."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from callbus.consumer import CallSlice, Settings
from callbus.errors import InputError, ModelError
from consumers import heads as trained
from consumers.alerts import Alerts, load
from consumers.alerts.dangers import NONE, Dangers, read_dangers
from consumers.corpus import read_corpus
from schemas.records import Alert, AlertState, CallEvent, Kind, Speaker, UtteranceEntities
from tests.builders import PROVENANCE
from tests.encoders import minilm

pytestmark = pytest.mark.model

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "domain" / "corpus"
FORMULA_WORDS = 5  # "When was the last time?" belongs to nobody

Said = tuple[Speaker, str]


def settings(**options: object) -> Settings:
    return Settings(group="alerts", models=(minilm(),), device="cpu", options=options, root=ROOT)


@pytest.fixture(scope="module")
def group() -> Alerts:
    return load(settings())


@pytest.fixture(scope="module")
def dangers() -> Dangers:
    return read_dangers(CORPUS / "dangers", read_corpus(CORPUS))


def utterance(
    number: int, speaker: Speaker = "caller", text: str = "", *, kind: Kind = "speech", redacted: str | None = None
) -> UtteranceEntities:
    return UtteranceEntities(
        event_id=f"entities-{number}",
        call_id="call",
        at_ms=1_700_000_000_000 + number * 5000,
        utterance_id=f"utterance-{number}",
        kind=kind,
        speaker=speaker,
        start_ms=number * 5000,
        end_ms=number * 5000 + 4000,
        confidence=0.9,
        status="pass_through",
        source_language="en",
        text=text,
        redacted_text=text if redacted is None else redacted,
        entities=(),
        provenance=PROVENANCE,
    )


def again(event: UtteranceEntities) -> UtteranceEntities:
    """The same of the second hearing."""
    return replace(event, event_id=f"{event.event_id}-again", utterance_id=f"{event.utterance_id}-again", revision=2)


def spoken(*turns: Said) -> list[UtteranceEntities]:
    return [utterance(number, speaker, text) for number, (speaker, text) in enumerate(turns)]


END = utterance(900, kind="end")


def advance(
    group: Alerts, events: Sequence[UtteranceEntities], state: AlertState | None = None, at_once: int = 1
) -> tuple[list[Alert], AlertState | None]:
    """The alerts that come of a call, so many utterances in a slice."""
    alerts: list[Alert] = []
    for first in range(0, len(events), at_once):
        [result] = group.advance([CallSlice("call", events[first : first + at_once], state, None)])
        state = result.state
        alerts += [event for event in result.events if isinstance(event, Alert)]
    return alerts, state


HELLO: Said = ("agent", "Child helpline, good morning, how can I help you?")
MISSING: Said = (
    "caller",
    "My daughter is missing, she did not come home from school yesterday and nobody has seen her.",
)
BEATING: tuple[Said, ...] = (
    HELLO,
    (
        "caller",
        "Please come, my stepfather is beating my brother with a stick right now, he is bleeding and can't get up.",
    ),
    ("agent", "I am sending the police to you this minute, stay hidden and stay on the line."),
)


def test_danger_is_told_with_its_first_utterance(group: Alerts) -> None:
    """With the quoted words, who said them and when, and what made it."""
    [alert, *_], _ = advance(group, spoken(*BEATING))
    assert (alert.matter, alert.state, alert.revision) == ("violence", "raised", 1)
    assert (alert.utterance_id, alert.start_ms, alert.speaker) == ("utterance-1", 5000, "caller")
    assert [quote.text for quote in alert.evidence] == [BEATING[1][1]]
    assert alert.score > 0.8
    assert alert.provenance.origin_ids == ("entities-1",)
    assert alert.provenance.model_version.startswith(f"{minilm().version}+heads.")


def test_only_redacted_words_are_quoted(group: Alerts) -> None:
    """Judged is what was said, quoted what is safe."""
    text = "Asha is missing since yesterday, my little girl, she never came home from school, nobody has seen her."
    said = utterance(1, text=text, redacted=text.replace("Asha", "[NAME_1]"))
    [alert, *_], _ = advance(group, [said])
    assert alert.matter == "missing_child"
    assert "Asha" not in repr(alert)
    assert alert.evidence[0].text.startswith("[NAME_1] is missing")


CALM: dict[str, tuple[Said, ...]] = {
    "campfire": (("caller", "We sat around the campfire with the scouts and sang until midnight."),),
    "laughter": (("caller", "That boy, he kills me with laughter every single time."),),
    "school play": (("caller", "He plays a robber in the school drama and has a wooden gun."),),
    "long ago": (("caller", "My grandmother died a long time ago, and I would like to see her grave."),),
    "custody": (("caller", "Their father has not paid the maintenance since January."),),
    "standard questions": (
        ("agent", "Is anyone hurt? Is there a weapon in the house? Are you in danger now?"),
        ("caller", "No, no, everybody is fine. I only want to know how to get a birth certificate."),
        ("agent", "Are you thinking of ending your life? I ask everybody."),
        ("caller", "No, I am happy, thank you."),
    ),
    "nobody answers": (("agent", "Has somebody hurt you? Does he have a knife? Do you want to kill yourself?"),),
}


@pytest.mark.parametrize("call", CALM)
def test_what_only_sounds_like_danger_raises_nothing(group: Alerts, call: str) -> None:
    """Figures of speech, plays, the past, ordinary matters, and whatever a counsellor asks."""
    assert advance(group, spoken(HELLO, *CALM[call]))[0] == []


def test_the_same_call_gives_the_same_alerts(group: Alerts) -> None:
    """However its utterances fall into batches, and in a batch with other calls."""
    events = [*spoken(*BEATING, MISSING), END]
    one_by_one = advance(group, events)
    assert one_by_one[0]
    assert advance(group, events, at_once=2) == one_by_one
    assert advance(group, events, at_once=9) == one_by_one
    other: CallSlice[UtteranceEntities, AlertState] = CallSlice(
        "other", [replace(event, call_id="other") for event in events], None, None
    )
    _, beside = group.advance([other, CallSlice("call", events, None, None)])
    assert [event for event in beside.events if isinstance(event, Alert)] == one_by_one[0]


def test_doubles_change_nothing(group: Alerts) -> None:
    """Each utterance twice: at once, and all of it again, even after the end."""
    events = spoken(*BEATING)
    once, state = advance(group, events)
    twice, same = advance(group, [each for event in events for each in (event, event)])
    assert (twice, same) == (once, state)
    assert advance(group, events, state) == ([], state)
    raised = [event for event in events if event.utterance_id == once[0].utterance_id]
    assert advance(group, [END, *raised], state)[0] == []


def test_a_second_hearing_does_not_raise_the_same_matter_again(group: Alerts) -> None:
    """What the first told stands beyond its end, and is given up at the end of the second."""
    events = [*spoken(*BEATING), END]
    first, state = advance(group, events)
    second, nothing = advance(group, [again(event) for event in events], state)
    assert first
    assert "raised" not in [alert.state for alert in second]
    assert nothing is None


def test_a_calm_call_leaves_nothing_behind(group: Alerts) -> None:
    """After its end; and nothing of any call once it has been silent for long."""
    assert advance(group, [*spoken(HELLO, *CALM["custody"]), END])[1] is None
    _, state = advance(group, spoken(*BEATING))
    [result] = group.advance([CallSlice("call", (), state, None, silent_since_ms=1)])
    assert (result.events, result.state) == ([], None)


def test_each_end_of_a_call_is_told(group: Alerts) -> None:
    """Calm or not, of each hearing once: so that no news can be told from a group that is down."""
    second = again(END)
    calm = [*spoken(HELLO, *CALM["custody"]), END, second]
    [result] = group.advance([CallSlice("call", [*calm, END], None, None)])
    told = [event for event in result.events if isinstance(event, CallEvent)]
    assert list(result.events) == told
    assert [(event.type, event.stage, event.call_id, event.at_ms) for event in told] == [
        ("judged", "alerts", "call", end.at_ms) for end in (END, second, END)
    ]
    assert len({event.event_id for event in told}) == 2
    assert told[0] == told[2]
    [open_] = group.advance([CallSlice("call", spoken(*CALM["custody"]), None, None)])
    assert list(open_.events) == []


def test_gaps_and_what_was_not_understood_are_no_utterances(group: Alerts) -> None:
    """Nothing is judged, nothing is remembered of them."""
    events = [utterance(1, kind="gap"), utterance(2, kind="unclear"), utterance(3, text=" … ")]
    alerts, state = advance(group, events)
    assert alerts == []
    assert state is not None
    assert state.turns == ()


def test_a_caller_who_takes_it_back_withdraws_the_alert(group: Alerts) -> None:
    """As the next revision of the matter."""
    back: Said = ("caller", "Oh sorry, she has just walked in, she was at her aunt's, it was a false alarm.")
    alerts, _ = advance(group, spoken(HELLO, MISSING, ("agent", "Since when is she missing?"), back))
    assert [(alert.matter, alert.state, alert.revision) for alert in alerts] == [
        ("missing_child", "raised", 1),
        ("missing_child", "withdrawn", 2),
    ]


def test_the_committed_heads_belong_to_the_corpus(dangers: Dangers) -> None:
    """Whoever changes the examples trains the heads again."""
    assert trained.load(ROOT / "domain" / "alerts").corpus_digest == dangers.digest


def test_the_examples_are_many_and_each_stands_once(dangers: Dangers) -> None:
    """Forty and more of every matter, and as many without danger."""
    texts = [passage.text for passage in dangers.passages]
    assert len(set(texts)) == len(texts)
    matters = [passage.matter for passage in dangers.passages]
    assert {name: matters.count(name) for name in set(matters) if matters.count(name) < 40} == {}
    assert matters.count(NONE) >= 250


def test_examples_in_another_form_are_refused(tmp_path: Path) -> None:
    """With the path, and what is not there."""
    with pytest.raises(InputError, match=r"calm.yaml: no examples of dangers can be read \(FileNotFoundError"):
        read_dangers(tmp_path, read_corpus(CORPUS))
    broken = tmp_path / "dangers"
    shutil.copytree(CORPUS / "dangers", broken)
    (broken / "weapon.yaml").write_text("critical: []\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"dangers: no examples of dangers can be read \(KeyError\('calm'\)\)"):
        read_dangers(broken, read_corpus(CORPUS))


def test_a_scene_says_where_danger_begins_and_where_it_is_taken_back(dangers: Dangers) -> None:
    """By the caller, in turns that are there."""
    assert len(dangers.scenes) >= 80
    for scene in dangers.scenes:
        for marked in (scene.danger, scene.safe):
            assert marked is None or scene.turns[marked].speaker == "caller"
        assert scene.matter == NONE or scene.danger is not None
        assert scene.safe is None or (scene.danger is not None and scene.danger < scene.safe)


def test_no_example_is_said_in_a_call_with_truth(dangers: Dangers) -> None:
    """They would flatter the figures of docs/quality.md."""
    examples = {" ".join(each.text.lower().split()) for each in dangers.passages}
    examples |= {" ".join(turn.text.lower().split()) for scene in dangers.scenes for turn in scene.turns}
    said = {
        " ".join(turn["text"].lower().split())
        for path in (*ROOT.glob("domain/calls/*/*.json"), *ROOT.glob("samples/*.json"))
        for turn in json.loads(path.read_text(encoding="utf-8"))["turns"]
    }
    assert {text for text in examples & said if len(text.split()) > FORMULA_WORDS} == set()


def test_a_folder_without_heads_is_refused() -> None:
    """At the start, not at the first call."""
    with pytest.raises(ModelError, match="no heads can be read"):
        load(settings(heads="domain/nowhere"))
