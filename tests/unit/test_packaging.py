"""What a newcomer relies on: the Makefile, the lock, the licence, the image, and nothing of ours in them."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

# Where packages, images and models come from is the machine's own business (mirrors, offline copies).
HOSTS = re.compile(
    r"\b(?:pypi|pythonhosted|maven|npmjs|crates|docker|ghcr|quay|gcr|mcr\.microsoft|proxy\.golang|huggingface|pytorch)"
    r"(?:\.apache)?\.(?:org|com|io|co)\b"
)
TEXT_BYTES = 5_000_000
PLACES = re.compile(r"(?<![\w.~:-])/(?:home|Users|work|workspace)/\w")


def tracked() -> list[Path]:
    """The files that are in the repository, or would be at the next commit; but not what is too long to be text."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: what is tracked can't be told")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [
        path
        for name in names.split("\0")
        if name and (path := ROOT / name).is_file() and path.stat().st_size < TEXT_BYTES
    ]


def strangers(text: str) -> list[str]:
    """The host names of registries, and the paths of somebody's own machine, in `text`."""
    return [found[0] for pattern in (HOSTS, PLACES) for found in pattern.finditer(text)]


def lock_faults(lock: str, wanted: list[str]) -> list[str]:
    """How the text of a lock fails `wanted`, requirements as pyproject.toml writes them; in words."""
    faults: list[str] = []
    pinned: dict[str, list[str]] = {}
    for block in re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE):
        if not block.strip():
            continue
        entry = Requirement(block.splitlines()[0].removesuffix("\\").strip())
        if [pin.operator for pin in entry.specifier] != ["=="] or "--hash=sha256:" not in block:
            faults.append(f"{entry} is not pinned with hashes")
        pinned.setdefault(canonicalize_name(entry.name), []).extend(pin.version for pin in entry.specifier)
    for requirement in map(Requirement, wanted):
        versions = pinned.get(canonicalize_name(requirement.name), [])
        if not versions or not all(requirement.specifier.contains(version, prereleases=True) for version in versions):
            faults.append(f"{requirement} is locked as {', '.join(versions) or 'nothing'}; run `make lock`")
    return faults


def copied(dockerfile: str) -> list[str]:
    """What the Dockerfile copies out of the repository."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def text_of(name: str) -> str:
    """A file of the repository."""
    return (ROOT / name).read_text("utf-8")


def test_no_file_names_a_registry_or_a_place_of_ours() -> None:
    """Mirrors and offline copies work everywhere only if no address is written down."""
    found = {
        path.relative_to(ROOT).as_posix(): strange
        for path in tracked()
        if (strange := strangers(path.read_bytes().decode("utf-8", errors="ignore")))
    }
    assert found == {}


@pytest.mark.parametrize("text", ["https://{}.org/simple", "FROM {}.io/kafka", "open('/{}/ann/x.wav')"])
def test_a_registry_or_a_place_of_ours_would_be_found(text: str) -> None:
    """The search for them does find them."""
    assert any(strangers(text.format(word)) for word in ("pypi", "quay", "home"))


def test_what_the_readers_are_told_to_make_can_be_made() -> None:
    """Every `make …` of the pages is a target, and the two commands of the first page are among them."""
    pages = "".join(text_of(page) for page in ("README.md", "DESIGN.md"))
    told = set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", pages, re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    assert {"demo", "test"} <= told <= targets


def test_the_lock_is_in_step_with_pyproject() -> None:
    """Each dependency is in the lock, at a version that pyproject.toml allows, pinned and hashed."""
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    assert lock_faults(text_of("requirements.lock"), wanted) == []


def test_a_lock_out_of_step_is_seen() -> None:
    """Something missing, something too old, something without its hash."""
    lock = "av==13.0 \\\n    --hash=sha256:00\nclick==8.1\n"
    assert lock_faults(lock, ["av>=14", "faust-streaming"]) == [
        "click==8.1 is not pinned with hashes",
        "av>=14 is locked as 13.0; run `make lock`",
        "faust-streaming is locked as nothing; run `make lock`",
    ]


def test_the_licence_is_the_one_we_name() -> None:
    """The whole text of what pyproject.toml names."""
    assert PROJECT["project"]["license"] == "Apache-2.0"
    text = text_of("LICENSE")
    assert re.search(r"Apache License\s+Version 2\.0, January 2004", text)
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_changelog_begins_with_this_version() -> None:
    """What is being built is what its newest entry is about."""
    newest = re.search(r"^## \[(.+?)\]", text_of("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == PROJECT["project"]["version"]


def test_the_image_gets_what_it_copies() -> None:
    """What the Dockerfile copies is there, and .dockerignore lets it through; every package is copied."""
    sources = copied(text_of("Dockerfile"))
    allowed = [line[1:] for line in text_of(".dockerignore").splitlines() if line.startswith("!")]
    assert sorted(sources) == sorted(allowed)
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= set(sources)


def test_make_and_the_image_use_the_same_uv() -> None:
    """One version of uv reads the lock everywhere."""
    in_make = re.search(r"^UV_VERSION := (.+)$", text_of("Makefile"), re.MULTILINE)
    in_image = re.search(r"^ARG UV_VERSION=(.+)$", text_of("Dockerfile"), re.MULTILINE)
    assert in_make is not None and in_image is not None
    assert in_make[1] == in_image[1]


def test_the_lock_is_written_for_the_oldest_python() -> None:
    """`make lock` locks for the Python that pyproject.toml begins with, on whatever Python it runs."""
    locked_for = re.search(r"--python-version (\S+)", text_of("Makefile"))
    assert locked_for is not None
    assert f">={locked_for[1]}" == PROJECT["project"]["requires-python"]
