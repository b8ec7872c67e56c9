"""What this machine allows: how many connections, by which clients, and if not, why and how many instead."""
import dataclasses
import os
import pathlib
import resource
import shutil
import subprocess
import time

SPARE_DESCRIPTORS = 100    # for what a process opens besides its connections
SPARE_FILES = 2_000        # of the system, for everybody else
MOST = 2_850_000           # what a raw loop held on 24 GiB; no more is tried unless asked for
# What a connection takes up, to know before what will fit; measured is what counts afterwards.
SERVER_BYTES = {"otter": 5_100, "raw": 4_500}
CLIENT_BYTES = {"tun": 8, "sockets": 4_400}
SMALL = 15_000             # so many are made by sockets, without asking for privileges


class refused(Exception):
    def __init__(self, reason, nearest):
        super().__init__(reason)
        self.reason, self.nearest = reason, nearest


@dataclasses.dataclass
class facts:
    free: int               # bytes that are free or hold copies of files
    descriptors: int        # RLIMIT_NOFILE
    files: int | None       # that the system still allows us; None: as many as we like
    namespace: list | None  # the command that makes a network namespace; None: not allowed
    no_namespace: str       # why not
    no_direct: str          # why otter's connections take descriptors; empty: they need not


def memory():
    """/proc/meminfo in bytes."""
    lines = (line.split() for line in pathlib.Path("/proc/meminfo").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if len(words) == 3}


# So many bytes stay free, whatever happens: 3 GiB, but a quarter of a small machine.
FLOOR = min(3 << 30, memory()["MemTotal"] // 4)


def free_memory():
    """MemFree and the pages of files, which the system gives up first. MemAvailable would count a kilobyte of each
    connection as well: its inode."""
    now = memory()
    return now["MemFree"] + now["Active(file)"] + now["Inactive(file)"]


def settle(seconds=10):
    """Waits, so long at most, until the kernel's slabs no longer shrink: what a run leaves behind is freed after it."""
    until, last = time.monotonic() + seconds, None
    while time.monotonic() < until:
        now = memory()["Slab"]
        if last is not None and last - now < 1 << 20:
            return
        last = now
        time.sleep(0.2)


def files_left():
    if os.geteuid() == 0 and owns_the_machine():
        return None  # root is exempt
    used, _, most = map(int, pathlib.Path("/proc/sys/fs/file-nr").read_text().split())
    return most - used - SPARE_FILES


def owns_the_machine():
    """False for the root of a user namespace: who is exempt from limits is root of the first one."""
    try:
        return pathlib.Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]
    except OSError:
        return True


def namespace():
    """(command, why not)"""
    if shutil.which("unshare") is None:
        return None, "unshare is missing (util-linux)"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return None, "/dev/net/tun may not be opened"
    why = ""
    for command in (["unshare", "-n"], ["unshare", "-rn"]):
        done = subprocess.run([*command, "true"], capture_output=True, text=True)
        if done.returncode == 0:
            return command, ""
        why = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"status {done.returncode}"
    return None, f"no network namespace may be made: {why}"


def most_descriptors():
    """Raises RLIMIT_NOFILE as far as we may, for the programs that inherit it from us: root to fs.nr_open."""
    for most in (int(pathlib.Path("/proc/sys/fs/nr_open").read_text()), resource.getrlimit(resource.RLIMIT_NOFILE)[1]):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
            return most
        except (OSError, ValueError):
            pass
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def look(no_direct):
    command, why = namespace()
    return facts(free_memory(), most_descriptors(), files_left(), command, why, no_direct)


def bounds(servers, clients, about):
    """[(connections, why no more)]"""
    found = []
    if "otter" in servers and about.no_direct:
        found.append((about.descriptors - SPARE_DESCRIPTORS,
                      f"each of a node's connections takes a descriptor here ({about.no_direct}), and RLIMIT_NOFILE is {about.descriptors:,}"))
    if about.files is not None:
        ends = 2 if clients == "sockets" else 1
        found.append((about.files // ends, f"fs.file-max leaves {about.files:,} files to this user, and root is exempt"))
    each = max(SERVER_BYTES[s] for s in servers) + CLIENT_BYTES[clients]
    left = about.free - FLOOR
    found.append((max(left, 0) // each, f"{about.free / 1e9:.1f} GB are free, {FLOOR / 1e9:.1f} GB stay so, and one takes {each:,} bytes"))
    return found


def plan(wanted, servers, clients, about):
    """(connections, "tun" or "sockets"). wanted None: what fits. clients None: whatever serves best. Raises refused."""
    if clients is None:
        small = wanted is not None and wanted <= SMALL
        clients = "sockets" if small or about.namespace is None else "tun"
    if clients == "tun" and about.namespace is None:
        most, _ = min(bounds(servers, "sockets", about))
        raise refused(f"clients without sockets need a private network namespace with a TUN device: {about.no_namespace}",
                      whole(min(most, MOST)))
    most, why = min(bounds(servers, clients, about))
    if wanted is None:
        wanted = whole(min(most, MOST))
        if wanted == 0:
            raise refused(why, 0)
        return wanted, clients
    if wanted > most:
        raise refused(why + without_namespace(clients, about), whole(most))
    return wanted, clients


def direct_places(connections, clients, about):
    """How many places for connections that are no descriptors otter's node is to have. A few by sockets do without."""
    few = clients == "sockets" and connections <= about.descriptors - SPARE_DESCRIPTORS
    return 0 if about.no_direct or few else connections + SPARE_DESCRIPTORS


def without_namespace(clients, about):
    return f"; half of it for clients with sockets, since {about.no_namespace}" if clients == "sockets" and about.no_namespace else ""


def whole(n):
    """Rounded down to what one would type."""
    step = 1_000 if n >= 100_000 else 100 if n >= 1_000 else 1
    return max(n, 0) // step * step
