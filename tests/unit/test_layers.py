"""The contracts on imports: `make check` holds them; here each is seen to turn red."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("callbus", "consumers", "producers", "schemas")
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
CONTRACTS = [contract["name"] for contract in SETTINGS["contracts"]]
ONE_WAY, APART, NO_KAFKA, NO_MODELS = CONTRACTS
FORBIDDEN = [
    ("schemas/gate.py", "callbus.ids", ONE_WAY),
    ("callbus/audio.py", "producers.player", ONE_WAY),
    ("consumers/documents/__init__.py", "consumers.translation", APART),
    ("consumers/heads.py", "consumers.classification", APART),  # what groups share is beneath them
    ("producers/player/files.py", "aiokafka", NO_KAFKA),
    ("callbus/audio.py", "torch", NO_MODELS),
]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the packages, to be broken."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def broken_contracts(folder: Path) -> list[str]:
    """The contracts that import-linter finds broken in the packages of `folder`."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert "Contracts:" in done.stdout, done.stdout + done.stderr
    return re.findall(r"^(.+) BROKEN", done.stdout, re.MULTILINE)


def test_the_contracts_are_kept(house: Path) -> None:
    """As the code stands, nothing is imported that should not be."""
    assert broken_contracts(house) == []


@pytest.mark.parametrize(("file", "module", "contract"), FORBIDDEN, ids=[f"{f}:{m}" for f, m, _ in FORBIDDEN])
def test_each_contract_turns_red(house: Path, file: str, module: str, contract: str) -> None:
    """One forbidden import breaks the one contract that forbids it."""
    with (house / file).open("a", encoding="utf-8") as text:
        text.write(f"\nimport {module}\n")
    assert broken_contracts(house) == [contract]
