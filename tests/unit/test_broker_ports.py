"""callbus.broker.ports: a free port, and not the one that is about to be taken."""

import random

from callbus.broker.ports import PORTS, free_port


def test_a_port_that_somebody_is_about_to_take_is_not_given() -> None:
    """A broker that starts again has a port that nobody listens on yet: its second listener must have another."""
    random.seed(7)
    first = free_port()
    random.seed(7)
    second = free_port(besides=first)
    assert first != second
    assert {first, second} <= set(PORTS)
