"""Fixtures for every test."""

from tests.brokers import broker, docker_broker

__all__ = ["broker", "docker_broker"]
