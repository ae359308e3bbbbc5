"""What all live doors share: a call's way from a socket to Kafka, over a journal on disk.

`Line` begins calls, a `Call` takes the bytes of its legs; `Admission` keeps strangers out. A door only parses its
protocol and serves sockets: `async def serve(line, listen, admission, *, tls, token, ready, stopping)`.
"""

from producers.line.admission import Admission, Pace, client_tls, networks, same_token, server_tls, token_from
from producers.line.call import Busy, Call
from producers.line.chunks import CHUNK_MS, Sounding
from producers.line.line import Line
from producers.line.listening import accepted, bound
from producers.line.publisher import Publisher
from producers.line.quiet import TOLD_S, SpeaksAgain, missed
from producers.line.recordings import Recordings
from producers.line.spool import Spool

__all__ = [
    "CHUNK_MS",
    "TOLD_S",
    "Admission",
    "Busy",
    "Call",
    "Line",
    "Pace",
    "Publisher",
    "Recordings",
    "Sounding",
    "SpeaksAgain",
    "Spool",
    "accepted",
    "bound",
    "client_tls",
    "missed",
    "networks",
    "same_token",
    "server_tls",
    "token_from",
]
