"""Where the time goes: py-spy looks at the contestants' processes while they drain a full topic."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.bench.bus import folded
from tests.bench.bus.contestants import Contestant
from tests.bench.bus.course import Course
from tests.bench.bus.figures import Sample, commits
from tests.bench.bus.results import Profile, Results
from tests.bench.bus.scale import LANES, Scale

_PER_S = 200  # samples
_FUNCTIONS = 15
_LIMIT_S = 60.0


async def run(course: Course, scale: Scale, results: Results) -> None:
    """One heat for each; its pace is not kept, for py-spy slows it."""
    async with course.filled("speech", LANES, scale.events // 2) as full:
        for contestant in scale.profiled:
            with course.trying(results, f"{contestant.title}: profile"):
                profile = await _profile(course, scale, full.source, contestant)
                results.profiles.append(profile)
                first = ", ".join(f"{part} {share:.0%}" for part, share in list(profile.shares.items())[:4])
                course.show.line(f"profile  {contestant.title:45} {first or profile.problem}")


async def _profile(course: Course, scale: Scale, source: str, contestant: Contestant) -> Profile:
    def working(samples: Sequence[Sample]) -> bool:
        return len(commits(samples)) > 1

    spy = Path(sys.executable).with_name("py-spy")
    program = str(spy) if spy.exists() else shutil.which("py-spy")
    if program is None:
        return Profile(contestant.key, {}, [], "py-spy is not installed")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stacks"
        async with course.heat(contestant, source, LANES, "first") as heat:
            running = course.start(heat, "first")
            await course.watch(heat, "first", working, _LIMIT_S)
            seconds = str(max(1, round(scale.profile_s)))
            what = ("record", "--format", "raw", "--rate", str(_PER_S), "--duration", seconds)
            spying = await asyncio.create_subprocess_exec(
                *(program, *what, "--output", str(file), "--pid", str(running.process.pid)),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            _, said = await spying.communicate()
        if not file.exists():
            return Profile(contestant.key, {}, [], said.decode(errors="replace").strip()[-300:])
        lines = file.read_text().splitlines()
    return Profile(contestant.key, folded.shares(lines), folded.functions(lines, _FUNCTIONS))
