"""The rows whose work comes through sockets: a server of otter's or of a peer, and clients in processes of their own.

The server gets as many cores as it has workers, its clients (bench_load) the others; where there are no others they
share. What a server uses is read from /proc, for all of them alike.
"""
import json
import random
import resource
import socket
import tempfile
import time

from program import cut, end, next_line, start, used_by, written_memory

MOST_CONNECTIONS = 19_000  # of one load: RLIMIT_NOFILE may be 20,000
SPARE_DESCRIPTORS = 200
MOST_FLOOD_MB = 1000  # that says enough, and the machine is needed


def raise_descriptor_limit(connections):
    """As far as the system lets us; what we start inherits it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < connections + SPARE_DESCRIPTORS:
        raise cut(f"{connections} connections need as many descriptors, and RLIMIT_NOFILE is {most}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def free_port():
    """Below the range that connections take their own from."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise cut("no free port between 20000 and 32000")


class clients:
    """One or more bench_load, and what they have done together."""

    def __init__(self, program, cores, words, port, connections, count, limit):
        self.limit, self.all = limit, []
        for i in range(count):
            share = connections * (i + 1) // count - connections * i // count
            own = [w if not w.startswith("active=") else f"active={int(w[7:]) // count}" for w in words]
            self.all.append(start(program, cores, [*own, f"port={port}", f"source={i + 1}", f"connections={share}"]))

    def wait_until_ready(self):
        for c in self.all:
            if "ready" not in self.line_of(c, "all connections are there"):
                raise cut("a client did not say that its connections are there")

    def done(self):
        """What they have done since they were told to begin, which the first call does; and when."""
        for c in self.all:
            try:
                c.stdin.write(b"\n")
                c.stdin.flush()
            except BrokenPipeError:
                pass  # it has said why
        told = [json.loads(self.line_of(c, "how much it has done")) for c in self.all]
        return sum(t["count"] for t in told), max(t["ns"] for t in told)

    def line_of(self, c, what):
        line = next_line(c, self.limit, what)
        if line == "":
            raise cut(f"client: {c.stderr.read().decode(errors='replace').strip()[:160]}")
        return line

    def end(self):
        for c in self.all:
            end(c)


# --- what is looked at; each gives {figure: (value, unit)} -------------------------------------------


def rate(server, load, seconds, names):
    """Requests per second, and the server's processor time for each."""
    load.done()
    time.sleep(seconds / 4)
    count, begin = load.done()
    cpu, _ = used_by(server)
    time.sleep(seconds)
    count_then, stop = load.done()
    cpu_then, _ = used_by(server)
    count = count_then - count
    if count == 0:
        raise cut(f"answered nothing for {seconds} s")
    return {names[0]: (count / (stop - begin) * 1e9, "1/s"), names[1]: ((cpu_then - cpu) / count * 1e6, "us")}


def silence(server, seconds, before, connections, names):
    """Memory for a connection that waits, and what all of them use while nothing happens."""
    time.sleep(2)
    grown = written_memory(server) - before
    cpu, _ = used_by(server)
    time.sleep(seconds)
    cpu_then, _ = used_by(server)
    return {names[0]: (grown / connections, "B"), names[1]: (100 * (cpu_then - cpu) / seconds, "%")}


def flood(server, load, seconds, names):
    """How far memory grows in all, and how much of that in the second half: nothing if it is bounded."""
    base = written_memory(server)
    load.done()
    begin, seen = time.monotonic(), []
    while time.monotonic() < begin + seconds and (not seen or seen[-1] < MOST_FLOOD_MB):
        time.sleep(0.05)
        seen.append((written_memory(server) - base) / 1e6)
    load.done()  # it is still there
    half = len(seen) // 2
    return {names[0]: (max(seen), "MB"), names[1]: (max(0, max(seen[half:]) - max(seen[:half])), "MB")}


def measure(row, words, program, load_program, affinity, workers, connections, limit, quick):
    """The figures of one run: [{bench, value, unit}]."""
    raise_descriptor_limit(connections)
    port, count = free_port(), max(workers, -(-connections // MOST_CONNECTIONS))
    load_words = [*row.load, *(["reads=0"] if "flood=unread" in words else []), *(w for w in words if w.startswith("tls="))]
    load = None
    with tempfile.TemporaryFile() as errors:
        server = start(program, affinity[:workers], [*words, f"port={port}"], errors)
        try:
            if "ready" not in next_line(server, limit, "it listens"):
                raise cut("did not say that it listens")
            before = written_memory(server)
            load = clients(load_program, affinity[workers:] or affinity, load_words, port, connections, count, limit)
            load.wait_until_ready()
            seconds = row.seconds[1 if quick else 0]
            if row.load[0] == "flood":
                found = flood(server, load, seconds, row.gives)
            elif "active=0" in row.load:
                found = silence(server, seconds, before, connections, row.gives)
            else:
                found = rate(server, load, seconds, row.gives)
            if server.poll() is not None:
                raise cut(f"ended by itself, status {server.returncode}")
        except cut as why:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().splitlines()[-1:]
            raise cut(" ".join([str(why), *said])[:300]) from None
        finally:
            if load is not None:
                load.end()  # first, by resets: then no connection is kept by the system for a minute
            end(server)
    return [{"bench": name, "value": value, "unit": unit} for name, (value, unit) in found.items()]
