"""What a group could not work on: letters, what has become of each, and the way back into the group.

`letters` writes one down, `ledger` and `selection` decide (pure), `reading` and `settling` talk to Kafka.
"""

from callbus.dead_letters.letters import call_of, dead_letter

__all__ = ["call_of", "dead_letter"]
