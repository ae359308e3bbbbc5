"""Who may call in, how much, and with which secret."""

import asyncio
import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbus.errors import InputError
from producers.line import Admission, Pace, client_tls, networks, same_token, server_tls, token_from
from tests.certificates import localhost


@pytest.mark.parametrize(
    ("address", "admitted"),
    [
        ("10.1.2.3", True),
        ("10.2.0.1", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("::ffff:10.1.9.9", True),  # IPv4 on a socket for both kinds
        ("::ffff:10.2.0.1", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("fe80::1%eth0", False),
        ("", False),
        ("a socket file", False),
    ],
)
def test_an_allow_list(address: str, admitted: bool) -> None:
    """By network, of both kinds; what is no address is nobody's."""
    assert Admission(allow=networks(["10.1.0.0/16", "192.0.2.7", "2001:db8::/32"])).admits(address) is admitted


@pytest.mark.parametrize(
    ("address", "opening", "reason"),
    [
        ("203.0.113.9", ["203.0.113.9"], ""),
        ("203.0.113.9", ["203.0.113.9", "203.0.113.9"], "opening_calls"),
        ("203.0.113.9", ["203.0.113.8", "203.0.113.9"], ""),
        ("203.0.113.9", ["::ffff:203.0.113.9", "203.0.113.9"], "opening_calls"),
        ("2001:db8::9", ["2001:db8::1", "2001:db8::ffff:2"], "opening_calls"),
        ("2001:db8::9", ["2001:db8:0:1::1", "2001:db8:0:2::1"], ""),
        ("10.0.0.1", [], "address"),
    ],
)
def test_an_address_has_so_many_that_begin(address: str, opening: list[str], reason: str) -> None:
    """Those who send nothing take no place of others. Of IPv6, a network of 64 bits counts as one."""
    assert (
        Admission(allow=networks(["203.0.113.0/24", "2001:db8::/32"]), most_opening=2).why_not(address, opening)
        == reason
    )


def test_without_a_list_everyone_is_admitted() -> None:
    """But what is no address."""
    assert Admission().admits("203.0.113.9")
    assert not Admission().admits("nobody")


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/40", "exchange.example", ""])
def test_a_wrong_network_is_named(text: str) -> None:
    """With what to do; host bits that are set are a slip, too."""
    with pytest.raises(InputError, match=r"--allow: .*give an address or a network"):
        networks(["10.0.0.0/8", text])


@given(st.lists(st.tuples(st.integers(0, 3_000), st.floats(0, 2)), max_size=50))
def test_the_pace_of_a_connection(sent: list[tuple[int, float]]) -> None:
    """Two seconds' worth at once, and the rate after that; one that keeps to the rate is never closed."""
    pace, now_s, total, admitted = Pace(1_000), 100.0, 0, True
    for size, pause_s in sent:
        now_s += pause_s
        total += size
        admitted = admitted and pace.take(size, now_s)
        if admitted:
            assert total <= 1_000 * (now_s - 100.0 + 2) + 1e-6
    steady = Pace(1_000)
    assert all(steady.take(20, n * 0.02) for n in range(1_000))


def test_a_token_is_the_first_line_of_a_file(tmp_path: Path) -> None:
    """One that could be guessed is refused, and the message does not show it."""
    file = tmp_path / "token"
    file.write_text("  correct-horse-battery \nnot this\n")
    assert token_from(file) == "correct-horse-battery"
    for text in ("", "short", "\nsecond-line-is-long-enough"):
        file.write_text(text)
        with pytest.raises(InputError, match="the first line is no token of 16") as refused:
            token_from(file)
        assert "short" not in str(refused.value)
    with pytest.raises(InputError, match="No such file"):
        token_from(tmp_path / "none")


def test_a_token_is_the_same_or_not() -> None:
    """Nothing, a part of it, and other scripts are not."""
    assert same_token("correct-horse-battery", "correct-horse-battery")
    for given_ in (None, "", "correct", "correct-horse-batterý"):
        assert not same_token("correct-horse-battery", given_)


async def test_tls_both_ways(tmp_path: Path) -> None:
    """A client that trusts the certificate gets in; where clients must show one, one without does not."""
    pem, key = localhost(tmp_path)

    async def says(server: ssl.SSLContext, client: ssl.SSLContext) -> bytes:
        async def hello(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"hello")
            writer.close()

        async with await asyncio.start_server(hello, "127.0.0.1", 0, ssl=server) as listening:
            port = listening.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname="localhost")
            try:
                return await reader.read()
            except (ssl.SSLError, ConnectionError):  # TLS 1.3 refuses a client after the handshake
                return b""
            finally:
                writer.close()

    plain, strict = server_tls(pem, key), server_tls(pem, key, pem)
    assert plain.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert await says(plain, client_tls(pem)) == b"hello"
    assert await says(strict, client_tls(pem)) == b""
    shows = client_tls(pem)
    shows.load_cert_chain(pem, key)
    assert await says(strict, shows) == b"hello"


def test_certificates_that_are_none(tmp_path: Path) -> None:
    """Missing, garbage, or a key that is another's."""
    pem, key = localhost(tmp_path)
    (tmp_path / "other").mkdir()
    _, other = localhost(tmp_path / "other")
    garbage = tmp_path / "garbage"
    garbage.write_text("-----BEGIN")
    for pair in ((tmp_path / "none", key), (garbage, key), (pem, other)):
        with pytest.raises(InputError, match="no usable certificate and key"):
            server_tls(*pair)
    with pytest.raises(InputError, match="no usable certificates"):
        server_tls(pem, key, garbage)
