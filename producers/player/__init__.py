"""The player: plays files onto Kafka as a telephone exchange, a chat or a recorder would.

`find` names the files, `read` opens one, `timeline` says which event is due when, `play` publishes them in their time.
Only `play` touches the outside; all that decides is in `files.py` and `timeline.py`.
"""

from producers.player.files import Play, find, read
from producers.player.pacing import Progress, Publisher, play
from producers.player.timeline import Due, events

__all__ = ["Due", "Play", "Progress", "Publisher", "events", "find", "play", "read"]
