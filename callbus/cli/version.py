"""`callbus version`."""

import platform
from importlib import metadata

from callbus.cli import options
from callbus.cli.shell import print_json

EXAMPLES = options.examples("callbus version", "callbus version --json")


def version(json: options.Json = False) -> None:
    """Say which versions these are."""
    from callbus.broker.pins import KAFKA_VERSION

    found = {"callbus": metadata.version("callbus"), "python": platform.python_version(), "kafka": KAFKA_VERSION}
    if json:
        print_json(found)
    else:
        print(f"callbus {found['callbus']}, Python {found['python']}, embedded Apache Kafka {found['kafka']}")
