"""The benchmark of live speech, run small: that it works, not how fast anything is."""

from pathlib import Path

import pytest

from tests.bench.bus.show import Show
from tests.bench.live import page
from tests.bench.live.__main__ import measure

pytestmark = [pytest.mark.broker, pytest.mark.model, pytest.mark.slow, pytest.mark.alone]


async def test_a_smoke_run_measures_and_writes_its_page(tmp_path: Path) -> None:
    """Two real calls are followed by a real process: partials come, then all that was said; and there is a page."""
    with Show(quiet=True) as show:
        results = await measure((2,), 8.0, True, tmp_path / "run", show)
    [rung] = results.rungs
    assert rung.problem == ""
    assert rung.utterances > 0
    assert rung.partials > 0
    assert 0 < rung.after_cut.p50 < rung.final.p50
    assert rung.cores.transcription > rung.cores.player > 0
    assert rung.batch_events >= 1
    assert "smoke run" in page.write(results, tmp_path / "page").read_text()
