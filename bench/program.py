"""A program that is measured: started on some cores, and watched from outside."""
import os
import pathlib
import select
import shutil
import signal
import subprocess


class cut(Exception):
    """A program that crashed, hung or said nothing: with the reason."""


def start(program, cores, words, errors=subprocess.PIPE):
    pinned = ["taskset", "-c", ",".join(str(c) for c in cores)] if shutil.which("taskset") else []
    return subprocess.Popen([*pinned, str(program), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=errors, start_new_session=True)


def end(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def next_line(process, limit, what):
    """Its next line, waited for at most `limit` seconds. It says one line, and then waits for an answer."""
    ready, _, _ = select.select([process.stdout], [], [], limit)
    if not ready:
        raise cut(f"did not say within {limit} s: {what}")
    return process.stdout.readline().decode(errors="replace")


def processes_of(process):
    """It and all below it: taskset becomes the program, a shell wrapper its parent."""
    found, todo = [], [process.pid]
    while todo:
        pid = todo.pop()
        found.append(pid)
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
            try:
                todo += [int(child) for child in (task / "children").read_text().split()]
            except OSError:
                pass
    return found


def used_by(process):
    """(processor seconds, times that a thread went to sleep) so far."""
    nanoseconds = switches = 0
    for pid in processes_of(process):
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
            try:
                nanoseconds += int((task / "schedstat").read_text().split()[0])
                switches += sum(int(line.split()[1]) for line in (task / "status").read_text().splitlines()
                                if line.startswith("voluntary_ctxt_switches"))
            except (OSError, IndexError):
                pass
    return nanoseconds / 1e9, switches


def written_memory(process):
    """Bytes of memory that are its own and were written to: no shared libraries, no text of the program."""
    kilobytes = 0
    for pid in processes_of(process):
        try:
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Private_Dirty:"):
                    kilobytes += int(line.split()[1])
        except OSError:
            pass
    return kilobytes * 1024
