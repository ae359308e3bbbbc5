"""The image, built and run by a Docker engine where there is one."""

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import why_no_docker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

ROOT = Path(__file__).parents[2]


def docker(*words: str) -> str:
    """The output of a docker command that must succeed."""
    done = subprocess.run(["docker", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """The image's name; skips where no Docker engine answers."""
    if reason := why_no_docker():
        pytest.skip(f"no Docker engine answers: {reason}")
    name = f"callbus:test-{uuid.uuid4().hex}"
    docker("build", "--tag", name, ".")
    yield name
    docker("image", "rm", name)


def test_the_image_can_run_every_group(image: str) -> None:
    """Its topology, schemas, consumers and models are all there, with no network."""
    assert "error" not in docker("run", "--rm", "--network=none", image, "check")


def test_the_image_runs_as_nobody_in_particular(image: str) -> None:
    """Not as root, and with its cache folder its own."""
    probe = "test $(id -u) != 0 && touch $CALLBUS_CACHE/probe"
    docker("run", "--rm", "--entrypoint=sh", image, "-c", probe)


def test_the_image_holds_nothing_that_only_tests_need(image: str) -> None:
    """What callbus is tested and packed with stays outside."""
    probe = "import importlib.util as u; print([n for n in ('pytest', 'mypy', 'hatchling') if u.find_spec(n)])"
    assert docker("run", "--rm", "--entrypoint=python", image, "-c", probe) == "[]\n"
