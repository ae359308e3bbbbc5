"""README.md says what is true."""

import re
from pathlib import Path

from callbus.topology import load, mermaid

ROOT = Path(__file__).parents[2]


def test_the_graph_is_the_one_in_topology_yaml() -> None:
    """The picture is generated; to renew it, paste what `callbus topology --mermaid` prints."""
    readme = (ROOT / "README.md").read_text()
    shown = re.search(r"<!-- graph.*?-->\n```mermaid\n(.*?)```\n<!-- /graph -->", readme, re.DOTALL)
    assert shown
    assert shown[1].strip() == mermaid(load(ROOT / "topology.yaml")).strip()


def test_every_file_it_points_to_exists() -> None:
    """Links to files of the repository, in README and DESIGN."""
    for page in ("README.md", "DESIGN.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text()):
            assert target.startswith("http") or (ROOT / target).exists(), f"{page}: {target}"
