"""A server to test: started on a free port with demo accounts, and ended; what it wrote can be looked at."""
import contextlib
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time

LIMIT = 60  # seconds; only a failing test waits for so long

_last_log = []


def last_server_log():
    """The end of what the last server logged, also when its directory is gone."""
    return _last_log


def wait_until(condition, what):
    """Polls until `condition()` is true, and returns what it gave."""
    end = time.monotonic() + LIMIT
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"did not happen within {LIMIT} s: {what}")
        time.sleep(0.02)  # between two looks; the condition decides


class Server:
    """One run of the server. Its data directory may be given to the next one."""

    def __init__(self, directory, options=(), config="", descriptors=None, log="debug"):
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        run = len(list(self.directory.glob("*.err")))
        self.out = self.directory / f"{run}.out"
        self.err = self.directory / f"{run}.err"
        arguments = [os.environ["OTTER_CHAT"], "--data-dir", str(self.data), "--demo-accounts",
                     "--listen", "127.0.0.1:0", "--log-level", log, *options]
        if config:
            path = self.directory / "chat.toml"
            path.write_text(config)
            arguments += ["--config", str(path)]
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            few = descriptors and (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors)))
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=err, preexec_fn=few)
        try:
            wait_until(lambda: self.process.poll() is not None or "to stop:" in self.printed(), "the server starts")
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}: {self.log()}")
        except BaseException:
            self.kill()
            raise
        self.port = int(re.search(r"listens on 127\.0\.0\.1:(\d+)", self.printed()).group(1))
        self.passwords = dict(re.findall(r"(\w+)@localhost +password (\w+)", self.printed()))

    def printed(self):
        return self.out.read_text(errors="replace")

    def log(self):
        return self.err.read_text(errors="replace")

    def most_memory(self):
        """The most that the server has ever had in memory, in bytes."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self):
        return self.process.wait(timeout=LIMIT)

    def kill(self):
        global _last_log
        _last_log = self.log().splitlines()[-40:]
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def directory():
    path = tempfile.mkdtemp(prefix="otter-chat-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def server(*options, config="", descriptors=None):
    """A server that must end in order when the test is over."""
    with directory() as path:
        one = Server(path, options, config, descriptors)
        try:
            yield one
            one.terminate()
            status = one.wait()
            assert status == 0, f"the server ended with status {status}"
        finally:
            one.kill()
