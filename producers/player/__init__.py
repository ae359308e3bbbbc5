"""The player: plays files onto Kafka as a telephone exchange, a chat or a recorder would.

`find` names the files, `read` opens one, `timeline` says which event is due when, `play` publishes them in their time.
Only `play` touches the outside; all that decides is in `files.py` and `timeline.py`.
"""

from producers.player.files import AUDIO, AudioCall, Play, WrittenCall, WrittenTurn, find, read
from producers.player.pacing import Progress, Publisher, play
from producers.player.timeline import Due, PlayedEvent, events

__all__ = [
    "AUDIO",
    "AudioCall",
    "Due",
    "Play",
    "PlayedEvent",
    "Progress",
    "Publisher",
    "WrittenCall",
    "WrittenTurn",
    "events",
    "find",
    "play",
    "read",
]
