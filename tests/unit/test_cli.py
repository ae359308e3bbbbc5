"""The command line: help with examples, one line per error, an exit code per kind of error."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from callbus.cli import app
from callbus.cli.shell import Commands
from callbus.errors import CallbusError, Fenced, ModelError
from tests.cli import ROOT, callbus

COMMANDS = [
    "demo",
    "up",
    "run",
    "broker start",
    "broker stop",
    "broker status",
    "broker fetch",
    "topics plan",
    "topics apply",
    "door",
    "play",
    "watch",
    "call show",
    "groups",
    "lag",
    "dlq list",
    "dlq show",
    "dlq replay",
    "dlq drop",
    "dlq resume",
    "check",
    "evaluate",
    "reanalyse",
    "feedback give",
    "feedback export",
    "topology",
    "schemas check",
    "schemas release",
    "schemas show",
    "version",
]
BROKEN = "lanes: 8\ntopics: {}\ngroups: {}\nsurplus: 1\n"


def error_of(result: Result) -> str:
    """The one line on stderr."""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("callbus: error: ")
    return lines[0].removeprefix("callbus: error: ")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    """--help says what it does, and ends with examples that begin with the command's own name."""
    result = callbus(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"Usage: callbus {command}" in result.stdout
    _, _, examples = result.stdout.partition("Examples ")
    assert f"callbus {command}" in examples


def test_every_command_is_listed() -> None:
    """`callbus` alone is its help: nothing is hidden, and nothing here is forgotten."""
    group = typer.main.get_command(app)
    assert isinstance(group, Commands)
    found = {
        f"{name} {inner}".strip()
        for name, command in group.commands.items()
        for inner in getattr(command, "commands", {"": None})
    }
    assert found == set(COMMANDS)
    assert callbus().exit_code == 0
    for name in group.commands:
        assert f"│ {name} " in callbus().stdout


def test_help_comes_at_once() -> None:
    """What is heavy is imported by the command that needs it: no Kafka client, no Avro, no model library."""
    heavy = "aiokafka,fastavro,numpy,pydantic,structlog,yaml,torch,confluent_kafka,av,psutil"
    code = f"import sys, callbus.cli; print([name for name in {heavy.split(',')} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert min(_help_cpu_s() for _ in range(3)) < 1.2, "0.4 s on an idle machine"


def _help_cpu_s() -> float:
    """Processor time, not the wall's: other tests may run beside this one."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "callbus", "--help"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["frob"], 2, "No such command 'frob'; see `callbus --help`"),
        (["topic", "plan"], 2, "No such command 'topic'. Did you mean 'topics'? see `callbus --help`"),
        (["run"], 2, "name either groups or --all; topology.yaml has transcription, translation"),
        (["run", "--all", "documents"], 2, "name either groups or --all"),
        (["run", "document"], 2, "no group document; did you mean documents?"),
        (["watch", "transcript"], 2, "no topic transcript; did you mean transcripts?"),
        (["watch", "insights-calls-changelog"], 7, "holds a Faust table's own bytes, no events"),
        (["play", "absent.wav"], 7, "absent.wav: no such file or folder; name an audio file"),
        (["play", "samples", "--speed", "0"], 2, "give a number above 0 (1 is real time) or max"),
        (["play", "samples", "--speed", "fast"], 2, "'fast': give a number above 0"),
        (["play", "samples", "--call-id", "one"], 2, "can't be one call; name one file"),
        (["schemas", "show", "CallInsigt"], 3, "no schema CallInsigt; did you mean CallInsight?"),
        (["topology", "--topology", "absent.yaml"], 2, "can't read absent.yaml"),
        (["run", "documents", "--brokers", "127.0.0.1:1", "--topology", "absent.yaml"], 2, "can't read absent.yaml"),
    ],
)
def test_an_error_is_one_line_with_what_to_do(
    arguments: list[str], code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On stderr, with the exit code of its kind; stdout stays clean for the pipe."""
    monkeypatch.chdir(ROOT)
    result = callbus(*arguments)
    assert said in error_of(result)
    assert (result.exit_code, result.stdout) == (code, "")


@pytest.mark.parametrize(
    "arguments", [["watch", "call-insights"], ["topics", "plan"], ["topics", "apply"], ["call", "show", "call-1"]]
)
def test_a_broker_that_is_away(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 5; the Kafka client's own complaints are not shown."""
    monkeypatch.chdir(ROOT)
    result = callbus(*arguments, "--brokers", "127.0.0.1:1")
    said = error_of(result)
    assert "no Kafka broker answers at 127.0.0.1:1" in said
    assert "start one with `callbus broker start`" in said
    assert result.exit_code == 5


def test_every_fault_of_a_topology_has_its_line(tmp_path: Path) -> None:
    """Further lines of a message stand under the first."""
    (tmp_path / "topology.yaml").write_text(BROKEN.replace("lanes: 8", "lanes: none"))
    result = callbus("topology", "--topology", tmp_path / "topology.yaml")
    first, second = result.stderr.splitlines()
    assert first.startswith("callbus: error: topology.yaml:1: `lanes` is 'none'")
    assert second.startswith("  topology.yaml:4: unknown key `surplus`")
    assert result.exit_code == 2


def _ending(problem: BaseException) -> typer.Typer:
    """A command line with one command, which ends with `problem`."""
    small = typer.Typer(cls=Commands)

    @small.callback()
    def root() -> None: ...

    @small.command()
    def go() -> None:
        raise problem

    return small


@pytest.mark.parametrize(
    ("problem", "code"),
    [(CallbusError("x"), 1), (ModelError("x"), 4), (Fenced("x"), 8), (typer.Exit(3), 3), (KeyboardInterrupt(), 130)],
)
def test_the_exit_code_says_what_happened(problem: BaseException, code: int) -> None:
    """Each kind of error its own, and a shell's for Ctrl-C."""
    assert CliRunner().invoke(_ending(problem), ["go"]).exit_code == code


def test_what_nobody_foresaw_is_a_trace_in_the_log_and_one_line() -> None:
    """Exit code 70: the trace is for the log, the line for the person."""
    result = CliRunner().invoke(_ending(ZeroDivisionError("division by zero\nsecond line")), ["go"])
    assert result.exit_code == 70
    *trace, last = result.stderr.splitlines()
    assert last == (
        "callbus: error: unexpected ZeroDivisionError: division by zero; "
        "this is a fault in callbus, the log above has the trace"
    )
    assert "in go" in "\n".join(trace)


def test_a_reader_that_has_had_enough_ends_the_command_in_peace() -> None:
    """`callbus schemas show CallInsight | head -1`: no trace, no error."""
    read, write = os.pipe()
    os.close(read)
    code = "from callbus.cli import main; main()"
    arguments = [sys.executable, "-c", code, "topology", "--json"]
    done = subprocess.run(arguments, stdout=write, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_topology_is_found_beside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """./topology.yaml first; elsewhere the one that came with callbus; --topology and the environment before both."""
    monkeypatch.chdir(tmp_path)
    assert "call-insights" in callbus("topology", "--json").stdout
    (tmp_path / "topology.yaml").write_text(BROKEN)
    assert "unknown key `surplus`" in error_of(callbus("topology"))
    monkeypatch.setenv("CALLBUS_TOPOLOGY", str(ROOT / "topology.yaml"))
    assert callbus("topology").exit_code == 0
