"""How long an Ogg Opus stream is, read from its pages without decoding them (RFC 3533 § 6, RFC 7845 § 4)."""

import struct

_PAGE = struct.Struct("<4sBBqIIIB")  # capture pattern, version, flags, granule position, serial, number, CRC, segments
_OPUS_HZ = 48_000  # what a granule position counts, whatever was recorded
_NO_PACKET_ENDS = -1


def samples(payload: bytes, rate_hz: int) -> int:
    """The stream's samples per channel at `rate_hz`. ValueError for what is no whole Ogg Opus stream."""
    position, granule, pre_skip = 0, 0, None
    while position < len(payload):
        try:
            pattern, version, _, page_granule, _, _, _, segments = _PAGE.unpack_from(payload, position)
        except struct.error:
            raise ValueError("an Ogg page is cut short") from None
        body = position + _PAGE.size + segments
        end = body + sum(payload[position + _PAGE.size : body])
        if pattern != b"OggS" or version or end > len(payload):
            raise ValueError("no Ogg page where one was due")
        if pre_skip is None:
            if payload[body : body + 8] != b"OpusHead" or end < body + 19:
                raise ValueError("an Ogg stream that does not begin with OpusHead")
            pre_skip = int.from_bytes(payload[body + 10 : body + 12], "little")
        if page_granule != _NO_PACKET_ENDS:
            granule = max(granule, page_granule)
        position = end
    if pre_skip is None:
        raise ValueError("no Ogg stream, but nothing")
    return max(0, granule - pre_skip) * rate_hz // _OPUS_HZ
