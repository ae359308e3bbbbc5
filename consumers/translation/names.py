"""The gazetteer's names and places of one word: what must not be translated where it stands for somebody."""

from pathlib import Path
from typing import Any

import yaml

from callbus.errors import TopologyError
from consumers.spelling import fold

_LISTS = (("names.yaml", "names"), ("places.yaml", "places"))


def known_names(folder: Path) -> frozenset[str]:
    """Folded. TopologyError names the file and what to mend."""
    found: set[str] = set()
    for file, groups in _LISTS:
        path = folder / file
        try:
            content: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
            words = [*content["ordinary"], *(word for several in content[groups].values() for word in several)]
            found.update(fold(word) for word in words if " " not in word)
        except OSError as error:
            raise TopologyError(
                f"{path}:1: can't be read ({error.strerror}); set `gazetteer:` to the folder of word lists"
            ) from error
        except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            raise TopologyError(
                f"{path}:1: no lists of words; it needs `ordinary: […]` and `{groups}: {{a group: […]}}`"
            ) from error
    return frozenset(found)
