"""Ends the broker's JVM when the process that owns it is gone, however it went.

Run as a script beside the JVM: `python leash.py OWNER_PID JVM_PID`. Linux's PR_SET_PDEATHSIG would follow
the owner's *thread*, needs code between fork and exec, and exists nowhere else; this needs none of that.
It ends by itself once the JVM has ended.
"""

import sys
import time

import psutil

LOOK_EVERY_S = 0.25
GRACE_S = 5.0


def runs(process: psutil.Process | None) -> bool:
    """False for a process that ended, a zombie, and a stranger who got its pid."""
    try:
        return process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_gone(process: psutil.Process, limit_s: float) -> bool:
    """True once the process has ended, False after `limit_s`. For a process that need not be our child."""
    deadline = time.monotonic() + limit_s
    while runs(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def find(pid: int) -> psutil.Process | None:
    """The process with this pid, None when there is none."""
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def end(process: psutil.Process, grace_s: float) -> None:
    """SIGTERM, then SIGKILL after `grace_s`. Returns when the process is gone."""
    try:
        process.terminate()
        if not wait_gone(process, grace_s):
            process.kill()
            wait_gone(process, grace_s)
    except psutil.NoSuchProcess:
        pass


def main(owner_pid: int, jvm_pid: int) -> None:
    owner, jvm = find(owner_pid), find(jvm_pid)
    while runs(owner) and runs(jvm):
        time.sleep(LOOK_EVERY_S)
    if jvm is not None:
        end(jvm, GRACE_S)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
