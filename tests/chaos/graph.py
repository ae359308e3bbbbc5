"""The chaos graph, loaded with only the schemas that it uses, and its consumers without trouble, for the checker."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from callbus.topology import Topology, load
from callbus.topology.loading import AVRO
from tests.chaos.consumers.count import Count
from tests.chaos.consumers.hold import Hold
from tests.chaos.consumers.relay import Relay
from tests.chaos.consumers.slow import Slow

FILE = Path(__file__).parent / "topology.yaml"
_SCHEMAS = (
    *("Utterance", "Word", "Provenance", "Kind", "Speaker", "TranscriptionProgress", "ChannelProgress"),
    *("CallEvent", "CallEventType", "Medium", "DeadLetter", "Header"),
)

PURE: Mapping[str, Any] = {"relay": Relay(), "count": Count(), "hold": Hold(), "slow": Slow(0)}


def graph(folder: Path, lanes: int | None = None) -> Topology:
    """The topology, with another number of lanes if one is given.

    Who asks first copies its schemas to `folder`: a schema that no topic uses is an error.
    """
    avro = folder / "avro"
    if not avro.exists():
        avro.mkdir(parents=True)
        for name in _SCHEMAS:
            shutil.copy(AVRO / f"{name}.avsc", avro)
    if lanes is None:
        return load(FILE, avro=avro)
    grown = folder / f"topology-{lanes}.yaml"
    grown.write_text(re.sub(r"(?m)^lanes: \d+", f"lanes: {lanes}", FILE.read_text()))
    return load(grown, avro=avro)
