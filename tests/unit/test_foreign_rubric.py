"""Another helpline's labels: its own corpus, rubric and taxonomy are enough, no code knows a label."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from callbus.consumer import Settings
from callbus.errors import InputError
from consumers import heads as trained
from consumers.corpus import Corpus, read_corpus
from consumers.qa import Qa, load
from schemas.records import QaEvaluation
from tests.documents import ROOT, document, spoken
from tests.encoders import minilm

GREETS, BREATHES, LEAVES = "Says which desk answers", "Invites the rider to slow down", "Wishes a safe ride"
CRITERIA = {
    GREETS: {
        "shows": [
            "Night desk of the riders' line, Ilse speaking.",
            "This is the riders' line, you have the night desk.",
            "Riders' line, north desk, I am listening.",
            "You have reached the south desk of the riders' line.",
            "Good evening, the day desk of the riders' line here.",
            "Riders' line, the west desk answers you.",
        ],
        "lacks": ["Yes?", "Who is it?", "Talk.", "What now?", "Hm, hello.", "Go on."],
    },
    BREATHES: {
        "shows": [
            "Let us take one slow breath before you go on.",
            "There is no hurry, breathe out first.",
            "Sit down for a moment and breathe with me.",
            "Take your time, one breath after the other.",
            "Pause a little, and let your shoulders sink.",
            "Slowly, breathe in and out, then tell me more.",
        ],
        "lacks": [
            "Faster, I have others waiting.",
            "Get to the point.",
            "Hurry up with it.",
            "Don't waste my time.",
            "Say it quickly.",
            "Come on, quicker.",
        ],
    },
    LEAVES: {
        "shows": [
            "Ride home safely.",
            "Have a safe ride, and good night.",
            "A safe road to you.",
            "Keep your helmet on and arrive well.",
            "May your ride be a safe one, goodbye.",
            "Good night, and ride carefully.",
        ],
        "lacks": ["That is all.", "Done.", "I hang up now.", "Bye then.", "Nothing else, go.", "End."],
    },
}
SILENT = {"case": [GREETS, LEAVES], "action": [GREETS, BREATHES, LEAVES]}
RUBRIC = {
    "heads": {"whole": list(CRITERIA)},
    "judged_by": {
        GREETS: {"how": "shown", "where": "opening"},
        LEAVES: {"how": "shown", "where": "closing"},
    },
    "bands": {"good": 50, "poor": 0},
    "grades": {"1": 50, "2": 0},
}
MATTERS = {
    "Brakes": "My brakes {} when I ride downhill.",
    "Lights": "My front lamp {} and I ride in the dark.",
}
HAPPENED = ["fail", "squeal", "stopped working", "went dead", "broke again", "give up"]
BACKGROUND = {
    "small_talk": ["Hello there.", "Nice weather tonight.", "Can you hear me?", "Yes, yes.", "Okay.", "One second."],
    "interventions": {
        "Workshop": ["Bring it to our workshop.", "The workshop will mend it.", "A mechanic will see it tomorrow."],
        "Tow": ["We will tow you home.", "The van comes for you.", "Our driver will fetch you."],
        "neutral": ["I see.", "Go on, please.", "Where are you now?"],
    },
    "urgency": {
        "tonight": ["Stay off the road right now.", "Do not ride on tonight.", "Stop at once."],
        "some day": ["There is time for that.", "Next week is early enough.", "No need to hurry with it."],
    },
}


NO_CASE = ["Is this the swimming pool?", "La la la, ding dong.", "One two three, testing.", "Wrong number, sorry."]


def corpus_of(folder: Path, background: Mapping[str, Any] = BACKGROUND) -> Path:
    """A whole corpus of a line for cyclists."""
    calls = [
        {
            "call": f"{sub}-{number}",
            "sub": sub,
            "priority": "tonight" if number % 2 else "some day",
            "intervention": "Tow" if number % 3 else "Workshop",
            "says": [text.format(what)],
        }
        for sub, text in MATTERS.items()
        for number, what in enumerate(HAPPENED)
    ]
    (folder / "callers").mkdir(parents=True)
    for name, content in (
        ("callers/bicycle.yaml", {"main": "bicycle", "calls": calls}),
        ("no_case.yaml", {"calls": [{"call": f"none-{n}", "says": [text]} for n, text in enumerate(NO_CASE)]}),
        ("counsellors.yaml", {"silent_on": SILENT, "criteria": CRITERIA}),
        ("background.yaml", background),
    ):
        (folder / name).write_text(yaml.safe_dump(dict(content), sort_keys=False), encoding="utf-8")
    return folder


def verdicts(qa: Qa, *said: str) -> dict[str, str]:
    [outcome] = qa.handle([document(spoken(*(("agent", text) for text in said)))])
    assert isinstance(outcome, tuple)
    [evaluation] = outcome
    assert isinstance(evaluation, QaEvaluation)
    return {criterion.name: criterion.verdict for criterion in evaluation.criteria}


@pytest.mark.model
def test_a_rubric_with_other_names_is_trained_and_judges(tmp_path: Path) -> None:
    """By the command that the corpus's README tells, with no file of ours."""
    heads = tmp_path / "heads"
    assert trained.main(["train", "--corpus", str(corpus_of(tmp_path / "corpus")), "--heads", str(heads)]) == 0
    assert {name for name in trained.load(heads).heads if ":" in name} == {
        f"{kind}:{name}" for kind in ("shows", "lacks") for name in CRITERIA
    }
    assert trained.load(heads)["sub"].labels == ("bicycle:Brakes", "bicycle:Lights")
    rubric = tmp_path / "rubric.yaml"
    rubric.write_text(yaml.safe_dump(RUBRIC, sort_keys=False), encoding="utf-8")
    options = {"rubric": str(rubric), "heads": str(heads)}
    qa = load(Settings(group="qa", models=(minilm(),), device="cpu", options=options, root=tmp_path))
    kind = verdicts(
        qa,
        "The east desk of the riders' line, good evening.",
        "Breathe slowly with me, there is no hurry.",
        "Then have a safe ride home.",
    )
    assert kind == dict.fromkeys(CRITERIA, "pass")
    curt = verdicts(qa, "Yes, what?", "Quicker, I have no time.", "That was it.")
    assert curt == dict.fromkeys(CRITERIA, "fail")


def labels_of(corpus: Corpus) -> set[str]:
    """Those of more than one word, which no code says by chance."""
    subs = {example.sub for example in corpus.examples}
    interventions = {example.intervention for example in corpus.examples}
    return {label for label in {*corpus.shows, *subs, *interventions} if " " in label}


def test_no_code_names_a_label() -> None:
    """Outside of what commands give as examples of their use."""
    labels = labels_of(read_corpus(ROOT / "domain" / "corpus"))
    assert len(labels) > 60
    named = []
    for path in [*(ROOT / "consumers").rglob("*.py"), *(ROOT / "callbus").rglob("*.py")]:
        text = re.sub(r'^ *f?"callbus .*$', "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        named += [(path.name, label) for label in labels if f'"{label}"' in text or f"'{label}'" in text]
    assert named == []


def test_what_a_label_lacks_is_said(tmp_path: Path) -> None:
    """A priority or an intervention of the callers that no counsellor speaks of, no neutral talk, a mark of nothing."""
    actions = BACKGROUND["interventions"]
    assert read_corpus(corpus_of(tmp_path / "whole")).silent_on["case"] == (GREETS, LEAVES)
    for number, (changed, said) in enumerate(
        (
            ({"interventions": {key: actions[key] for key in ("Workshop", "neutral")}}, "'Tow' under interventions"),
            ({"interventions": {key: actions[key] for key in ("Workshop", "Tow")}}, "'neutral' under interventions"),
            ({"urgency": {"tonight": ["Stop at once."]}}, "'some day' under urgency"),
        )
    ):
        folder = corpus_of(tmp_path / str(number), {**BACKGROUND, **changed})
        with pytest.raises(InputError, match=said):
            read_corpus(folder)
    for wrong, said in (
        ({"matter": [GREETS]}, "silent_on knows no 'matter'; say case, action or both"),
        ({"case": ["Sings well"]}, "silent_on names 'Sings well', which is no criterion"),
    ):
        counsellors = {"silent_on": wrong, "criteria": CRITERIA}
        (tmp_path / "whole" / "counsellors.yaml").write_text(yaml.safe_dump(counsellors), encoding="utf-8")
        with pytest.raises(InputError, match=said):
            read_corpus(tmp_path / "whole")
