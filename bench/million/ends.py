"""The programs at the two ends of the connections, and the page that they share with us."""
import json
import mmap
import os
import pathlib
import select
import subprocess

TICKS = os.sysconf("SC_CLK_TCK")


class failed(Exception):
    """A program at one of the ends has ended or says nothing: with the reason."""


class counters:
    """bench/million/counters.hpp: numbers, 64 bytes from each other."""
    NAMES = ("accepted", "ended", "echoed", "stop")

    def __init__(self, folder):
        self.path = pathlib.Path(folder) / "counters"
        self.path.write_bytes(bytes(4096))
        with open(self.path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 4096)

    def __getattr__(self, name):
        at = 64 * counters.NAMES.index(name)
        return int.from_bytes(self.page[at:at + 8], "little")

    def ask_to_stop(self):
        at = 64 * counters.NAMES.index("stop")
        self.page[at:at + 8] = (1).to_bytes(8, "little")


class end:
    """A program that is led over its standard input and answers in lines of JSON."""

    def __init__(self, program, *words):
        self.name = pathlib.Path(program).name
        # A session of its own: Ctrl-C is for us, who then ends the programs in order.
        self.process = subprocess.Popen([str(program), *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        start_new_session=True)
        self.rest = b""

    def tell(self, line):
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise failed(f"{self.name} has ended, status {self.process.wait()}") from None

    def hear(self, seconds):
        """Its next line, or None if none comes within so long."""
        while b"\n" not in self.rest:
            if not select.select([self.process.stdout], [], [], seconds)[0]:
                return None
            part = os.read(self.process.stdout.fileno(), 65536)
            if not part:
                raise failed(f"{self.name} has ended, status {self.process.wait()}")
            self.rest += part
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def expect(self, seconds=60):
        heard = self.hear(seconds)
        if heard is None:
            raise failed(f"{self.name} has said nothing for {seconds} s")
        return heard

    def resident(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def processor_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def close(self, seconds=30):
        """Ends it by the end of its input; its status. Killed if it does not obey."""
        try:
            self.process.stdin.close()
        except OSError:
            pass
        try:
            return self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except OSError:
                pass  # what was left to be said, nobody hears
