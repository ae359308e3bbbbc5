"""deploy/prometheus.yml: in step with the containers it asks."""

from pathlib import Path
from typing import Any

import yaml

from callbus.observe.server import address

ROOT = Path(__file__).parents[2]


def targets() -> list[str]:
    """Whom Prometheus asks."""
    config = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text("utf-8"))
    return [t for job in config["scrape_configs"] for found in job["static_configs"] for t in found["targets"]]


def answering(services: dict[str, Any]) -> list[str]:
    """Who answers, and where: the services that run a group."""
    found = []
    for service in services.values():
        if service.get("command", [""])[0] == "run":
            host, port = address(service["environment"]["CALLBUS_HTTP"])
            assert host == "0.0.0.0", f"{service['hostname']} answers itself alone"  # noqa: S104  # inside its network
            found.append(f"{service['hostname']}:{port}")
    return found


def test_every_group_is_asked_where_it_answers() -> None:
    """No group runs unseen, and nobody is asked who is not there."""
    services = yaml.safe_load((ROOT / "docker-compose.kafka.yml").read_text("utf-8"))["services"]
    assert sorted(targets()) == sorted(answering(services))
    assert sorted(targets()) != sorted(answering({name: each for name, each in services.items() if name != "qa"}))


def test_prometheus_runs_only_where_it_is_asked_for() -> None:
    """A profile of its own, with the file that is tested here."""
    services = yaml.safe_load((ROOT / "docker-compose.kafka.yml").read_text("utf-8"))["services"]
    assert services["prometheus"]["profiles"] == ["metrics"]
    assert "./deploy/prometheus.yml:/etc/prometheus/prometheus.yml:ro" in services["prometheus"]["volumes"]
