"""The cards of checkpoints, and the models of a group that have one."""

from pathlib import Path

import pytest

from callbus.consumer import Model, Settings
from callbus.errors import ModelError
from consumers.checkpoints import apart, signed
from consumers.checkpoints.card import SummaryCard, TokensCard, mapped, read_card
from tests.checkpoints import carded, its


def test_a_group_has_one_checkpoint_beside_its_plain_model(tmp_path: Path) -> None:
    """Their names and versions, and the card's digest, sign what the group says."""
    card = carded(tmp_path / "card.yaml", {"window": 512})
    plain, judging = Model("minilm", "ctranslate2", "here", "0.1"), its(tmp_path, card, "case")
    settings = Settings(group="qa", models=(plain, judging))
    rest, found = apart(settings)
    assert (rest.models, found) == ((plain,), judging)
    assert apart(rest) == (rest, None)
    assert signed(plain, None) is plain
    named = signed(plain, judging)
    assert named.name == "case+minilm"
    assert named.version.startswith("1+card.") and named.version.endswith("+0.1")
    carded(card, {"window": 256})
    assert signed(plain, judging).version != named.version
    with pytest.raises(ModelError, match="group qa: case and other both have a card"):
        apart(Settings(group="qa", models=(judging, its(tmp_path, card, "other"))))


def test_a_card_that_is_wrong_says_where(tmp_path: Path) -> None:
    """A key too many, a file that is not there, YAML that is none."""
    with pytest.raises(ModelError, match=r"card\.yaml is wrong at beams: Extra inputs"):
        read_card(carded(tmp_path / "card.yaml", {"beams": 4}), SummaryCard)
    with pytest.raises(ModelError, match=r"none\.yaml can't be read"):
        read_card(tmp_path / "none.yaml", TokensCard)
    (tmp_path / "torn.yaml").write_text("{")
    with pytest.raises(ModelError, match=r"torn\.yaml can't be read"):
        read_card(tmp_path / "torn.yaml", TokensCard)


def test_labels_are_mapped_or_left_out_on_purpose() -> None:
    """`null` is a decision, a missing one is a mistake."""
    assert mapped(["PER", "MISC"], {"PER": "NAME", "MISC": None}, ["NAME"], "card") == ("NAME", None)
    with pytest.raises(ModelError, match="card: the model has the label 'LABEL_0'"):
        mapped(["LABEL_0"], {"PER": "NAME"}, ["NAME"], "card")
