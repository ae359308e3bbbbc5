"""Limits that keep strangers out, shared by all doors: who may connect, how much, and with which secret."""

import hmac
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

from callbus.errors import InputError

Network = IPv4Network | IPv6Network

_BURST_S = 2.0  # an exchange that was held up sends what it kept at once
_SHORTEST_TOKEN = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What a door lets in. The calls themselves are counted by the `Line`."""

    allow: tuple[Network, ...] = ()  # empty: everyone
    most_calls: int = 100
    most_opening: int = 16  # connections of one address that have not begun a call; beyond, none more comes in
    most_bytes_per_second: int = 400_000  # of a connection; beyond, it is closed
    silent_after_s: float = 30.0  # a connection that sends nothing for so long is closed

    def admits(self, address: str) -> bool:
        """Whether a connection from this address may stay. False for what is no address."""
        try:
            asked = _read(address)
        except ValueError:
            return False
        return not self.allow or any(asked in network for network in self.allow)

    def why_not(self, address: str, opening: Iterable[str]) -> str:
        """Why a connection from there can't come in, as a word for metrics; nothing if it can. `opening` are the
        addresses of those that have not begun a call."""
        if not self.admits(address):
            return "address"
        origin = _origin(address)
        return "opening_calls" if sum(_origin(one) == origin for one in opening) >= self.most_opening else ""

    def pace(self) -> "Pace":
        """The measure of one connection."""
        return Pace(self.most_bytes_per_second)


@dataclass(slots=True)
class Pace:
    """How fast one connection may send: a token bucket that holds two seconds' worth."""

    most_bytes_per_second: int
    _debt_bytes: float = 0.0
    _at_s: float = field(default=0.0)

    def take(self, size_bytes: int, now_s: float) -> bool:
        """Whether so many bytes may come at `now_s` (`time.monotonic`); False: close the connection."""
        drained = (now_s - self._at_s) * self.most_bytes_per_second
        self._debt_bytes = max(0.0, self._debt_bytes - drained) + size_bytes
        self._at_s = now_s
        return self._debt_bytes <= self.most_bytes_per_second * _BURST_S


def networks(texts: "list[str] | tuple[str, ...]") -> tuple[Network, ...]:
    """Each "10.0.0.0/8", "192.0.2.7" or "2001:db8::/32" as a network. Raises InputError, naming the wrong one."""
    found: list[Network] = []
    for text in texts:
        try:
            found.append(ip_network(text.strip()))
        except ValueError as problem:
            raise InputError(
                f"--allow: {problem}; give an address or a network, as 10.0.0.0/8 or 2001:db8::/32"
            ) from None
    return tuple(found)


def server_tls(certificate: Path, key: Path, clients: Path | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer with this certificate chain and key (PEM). With `clients`, only those it has signed get in.

    Raises InputError for a file that is missing, or that is not what it should be.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")  # or it would ask the terminal
    except (OSError, ValueError) as problem:
        raise InputError(
            f"{certificate} and {key}: no usable certificate and key ({_said(problem)}); give PEM files"
        ) from None
    if clients is not None:
        try:
            context.load_verify_locations(clients)
        except (OSError, ValueError) as problem:
            raise InputError(f"{clients}: no usable certificates ({_said(problem)}); give a PEM file") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_tls(authority: Path) -> ssl.SSLContext:
    """For one who calls in: trusts what this authority (PEM) has signed."""
    return ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=authority)


def token_from(file: Path) -> str:
    """The token in this file: its first line. Raises InputError if there is none, or one that could be guessed."""
    try:
        lines = file.read_text("utf-8").split("\n")
    except (OSError, ValueError) as problem:
        raise InputError(f"{file}: no token can be read ({_said(problem)}); put one line of text there") from None
    token = lines[0].strip()
    if len(token) < _SHORTEST_TOKEN or not token.isascii():
        raise InputError(
            f"{file}: the first line is no token of {_SHORTEST_TOKEN} or more ASCII characters; put one there"
        )
    return token


def same_token(expected: str, given: str | None) -> bool:
    """Compared in a time that does not tell how much of it was right."""
    return hmac.compare_digest(expected.encode(), (given or "").encode())


def _read(address: str) -> IPv4Address | IPv6Address:
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped:  # a socket for both kinds shows IPv4 so
        return found.ipv4_mapped
    return found


def _origin(address: str) -> Network:
    """Whom an address counts for: of IPv6 one site has 2^64 of them."""
    found = _read(address)
    return ip_network((found, 64 if isinstance(found, IPv6Address) else 32), strict=False)


def _said(problem: Exception) -> str:
    return getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
