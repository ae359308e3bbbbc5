"""The benchmark of the bus, run small: that it works, not how fast anything is."""

from pathlib import Path

import pytest

from tests.bench.bus import page
from tests.bench.bus.__main__ import measure
from tests.bench.bus.contestants import BARE, EXACTLY_ONCE
from tests.bench.bus.show import Show

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.alone]


async def test_a_smoke_run_measures_and_writes_its_page(tmp_path: Path) -> None:
    """Real processes drain a topic, a worker is killed under a steady stream; nothing failed, and there is a page."""
    with Show(quiet=True) as show:
        results = await measure(["throughput", "handover"], True, tmp_path / "run", show)
    assert results.failures == []
    assert {one.contestant for one in results.drained} >= {BARE.key, EXACTLY_ONCE.key}
    assert all(one.pace.per_s > 0 and one.rss_mb > 20 for one in results.drained)
    assert any(one.pace.cpu_ms > 0 for one in results.drained)  # the shortest may take less than a tick of the clock
    assert results.handovers
    assert all(handover.pauses for handover in results.handovers)
    assert all(pause.moved for handover in results.handovers for pause in handover.pauses)
    assert "smoke run" in page.write(results, tmp_path / "page").read_text()
