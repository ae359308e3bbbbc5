"""media-streams: calls over WebSocket, by the JSON protocol that Twilio Media Streams and its imitators speak.

`messages.py` reads messages, `start.py` says what a `start` means, `track.py` puts one track's frames in order and
finds its holes, `stream.py` holds a call's tracks side by side: all of them pure. `calls.py` keeps the calls over
broken connections, `connection.py` serves one WebSocket, `gate.py` its socket; `listening.py` and `serving.py` are the
door.

**One stream is one call with a leg for each track**: inbound is the caller, outbound the agent (`agent_first` turns
that round). Its id is `customParameters.call_id`, else the callSid; the other custom parameters become its attributes,
but for what looks like a telephone number or an address. A stream that doesn't say its tracks may bring both.

**Time is the protocol's own.** A `timestamp` beyond the audio that came is a hole (`Call.skip`): some platforms send
nothing while nobody speaks, or for a party that joins late. After a second of it, while the other track goes on, the
hole's beginning is told: so what was said before it is heard to its end. Frames out of order by `chunk` are put right
within `track.WINDOW_FRAMES`; doubles and what comes later are counted and left out.

**A call ends** with `stop`. A connection that breaks before that leaves its call waiting for a while (`calls.py`), then
it is `interrupted`; one that is closed for what it sent ends it at once.

**Who gets in**: an address on the list, over TLS where the door has a certificate, with the token: `Authorization:
Bearer …`, or the last part of the path, or `customParameters.token` (Twilio can set no header). Close codes say why
(`closing.py`). Behind a proxy the list sees the proxy's address.

**audio/x-l16 is little-endian** unless `big_endian` says otherwise: so those who use Plivo and Exotel read it. RFC 3551
§ 4.5.11 has L16 big-endian, and some platforms (Vobiz) keep to that: their documentation tells.

Digits (DTMF) are never read: they may be PINs. The door sends nothing but pings.
"""

from producers.media_streams.serving import serve

__all__ = ["serve"]
