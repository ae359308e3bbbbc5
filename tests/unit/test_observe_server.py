"""callbus.observe.server over HTTP: as Prometheus and an orchestrator ask it."""

import socket
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families

from callbus.errors import InputError
from callbus.observe import health
from callbus.observe.meter import GroupMeter
from callbus.observe.server import address, serving

LIMIT_S = 20.0


@pytest.fixture
def meter() -> GroupMeter:
    meter = GroupMeter(f"group-{uuid.uuid4().hex[:8]}")
    meter.state("running")
    return meter


@pytest.fixture
async def ask(meter: GroupMeter) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server that watches `meter`."""
    async with (
        serving([meter], "127.0.0.1", 0) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        yield client


async def answered(client: httpx.AsyncClient, path: str, enough: Callable[[httpx.Response], bool]) -> httpx.Response:
    """The first answer that is enough."""
    deadline = time.monotonic() + LIMIT_S
    while not enough(answer := await client.get(path)):
        assert time.monotonic() < deadline, answer.text
    return answer


async def test_metrics_can_be_scraped(ask: httpx.AsyncClient, meter: GroupMeter) -> None:
    """In the text format, and in OpenMetrics, as Prometheus asks for it; the process's own memory is among them."""
    meter.lag("transcripts", 3, 12, 4.5)
    plain = await ask.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=")
    modern = await ask.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert modern.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    for read, answer in ((text_string_to_metric_families, plain), (open_metrics, modern)):
        samples = [sample for family in read(answer.text) for sample in family.samples]
        [lag] = [s for s in samples if s.name == "callbus_lag_seconds" and s.labels["group"] == meter.group]
        assert (lag.value, lag.labels["topic"], lag.labels["lane"]) == (4.5, "transcripts", "3")
        assert "process_resident_memory_bytes" in {sample.name for sample in samples}


async def test_it_is_ready_when_its_groups_run(ask: httpx.AsyncClient, meter: GroupMeter) -> None:
    """503 with the group and the reason before, and 200 then."""
    meter.state("opening")
    answer = await ask.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "failing")
    assert answer.json()["reasons"] == [f"{meter.group}: opening, its lanes are being opened and their state restored"]
    assert (await ask.get("/livez")).status_code == 200  # a restart would only begin again
    meter.state("running")
    meter.holds([1, 2])
    answer = await ask.get("/readyz")
    assert (answer.status_code, answer.json()["groups"][meter.group]["lanes"]) == (200, [1, 2])


async def test_a_slow_model_call_lives(
    ask: httpx.AsyncClient, meter: GroupMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200, and the text says that it is slow; 200 without a word once it is done."""
    monkeypatch.setattr(health, "SLOW_AFTER_S", 0.05)
    meter.working()
    answer = await answered(ask, "/livez", lambda answer: bool(answer.json()["reasons"]))
    assert (answer.status_code, answer.json()["groups"][meter.group]["slow"]) == (200, True)
    assert "slow (stuck after 900 s)" in answer.json()["reasons"][0]
    meter.worked(1.0, ok=True)
    assert (await ask.get("/livez")).json()["reasons"] == []


async def test_a_stuck_model_call_does_not(meter: GroupMeter) -> None:
    """503 from the limit on, with the group that is stuck; ready it is all the same."""
    async with (
        serving([meter], "127.0.0.1", 0, stuck_after_s=0.1) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        assert (await client.get("/livez")).status_code == 200
        meter.working()
        answer = await answered(client, "/livez", lambda answer: answer.status_code == 503)
        assert answer.json()["reasons"] == [f"{meter.group}: a model call has run for 0 s: stuck"]
        assert (await client.get("/readyz")).status_code == 200


async def test_a_blocked_event_loop_is_seen_from_outside(meter: GroupMeter) -> None:
    """While nothing else in the process moves, /livez answers, and says so; and lives again when the loop turns."""

    def until_not_live(port: int) -> httpx.Response:
        deadline = time.monotonic() + LIMIT_S
        while (answer := httpx.get(f"http://127.0.0.1:{port}/livez")).status_code == 200:
            assert time.monotonic() < deadline
        return answer

    async with serving([meter], "127.0.0.1", 0, silent_after_s=0.5) as port:
        with ThreadPoolExecutor(1) as outside:
            answer = outside.submit(until_not_live, port).result()  # this blocks the event loop, on purpose
        assert answer.status_code == 503
        assert "the event loop has not turned for" in answer.json()["reasons"][0]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await answered(client, "/livez", lambda answer: answer.status_code == 200)


async def test_it_ends_with_the_groups(meter: GroupMeter) -> None:
    """Afterwards nobody listens, also where a client kept its connection open."""
    async with httpx.AsyncClient() as client:
        async with serving([meter], "127.0.0.1", 0) as port:
            assert (await client.get(f"http://127.0.0.1:{port}/livez")).status_code == 200
        with pytest.raises(httpx.TransportError):
            await client.get(f"http://127.0.0.1:{port}/livez")


@pytest.fixture
def taken() -> Iterator[int]:
    """A port at which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield int(other.getsockname()[1])


async def test_a_port_in_use_is_an_error_with_what_to_do(taken: int, meter: GroupMeter) -> None:
    """The process must not run unseen."""
    with pytest.raises(
        InputError, match=f"can't listen on 127.0.0.1:{taken}: another process does already; give --http"
    ):
        async with serving([meter], "127.0.0.1", taken):
            pass


async def test_a_host_that_is_not_here_is_an_error(meter: GroupMeter) -> None:
    """An address of another machine (RFC 5737)."""
    with pytest.raises(InputError, match=r"can't listen on 192\.0\.2\.1:0: "):
        async with serving([meter], "192.0.2.1", 0):
            pass


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("9100", ("127.0.0.1", 9100)),
        ("0", ("127.0.0.1", 0)),
        ("0.0.0.0:9100", ("0.0.0.0", 9100)),  # noqa: S104  # what is asked for
        ("localhost:9100", ("localhost", 9100)),
        ("[::1]:9100", ("::1", 9100)),
    ],
)
def test_addresses(text: str, found: tuple[str, int]) -> None:
    """A port alone is this machine's."""
    assert address(text) == found


@pytest.mark.parametrize("text", ["", ":", "host", "host:", ":9100", "::1:9100", "70000", "host:port", "http://host:1"])
def test_what_is_no_address(text: str) -> None:
    """Said with what it should look like."""
    with pytest.raises(InputError, match=r"no \[HOST:\]PORT; give 9100, 0\.0\.0\.0:9100"):
        address(text)
