"""What this door counts beyond what every door's line does."""

from prometheus_client import Counter

MESSAGES = Counter(
    "callbus_media_streams_messages_total",
    "Messages by event: connected, start, media, dtmf, mark, stop, other, malformed.",
    ["door", "event"],
)
ODDITIES = Counter(
    "callbus_media_streams_oddities_total",
    "What was odd about the calls that are over: doubled, late and stray frames, holes, sequence numbers, restarts.",
    ["door", "what"],
)
