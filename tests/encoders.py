"""The sentence encoder as the shipped topology names it, with what it has learned."""

from callbus.consumer import Model
from callbus.models import resolve
from callbus.topology import load
from tests.documents import ROOT


def minilm() -> Model:
    return resolve(load(ROOT / "topology.yaml").models["minilm"], ROOT)
