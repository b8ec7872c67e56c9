"""A client that people use: profanity, in a terminal that the test types into and reads."""
import contextlib
import os
import pathlib
import subprocess

import harness
from harness import server, wait_until
from xmpp import Client, session


class Terminal:
    """A program in a tmux of its own, with a home directory of its own."""

    def __init__(self, directory, *command):
        self.socket = f"{directory}/tmux"
        home = pathlib.Path(directory) / "home"
        home.mkdir()
        environment = dict(os.environ, HOME=str(home), XDG_CONFIG_HOME=f"{home}/config",
                           XDG_DATA_HOME=f"{home}/data", TERM="xterm", LC_ALL="C.UTF-8")
        environment.pop("TMUX", None)
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", "160", "-y", "50", *command, env=environment)

    def _tmux(self, *arguments, env=None):
        done = subprocess.run(["tmux", "-S", self.socket, *arguments], capture_output=True, text=True, env=env,
                              timeout=harness.LIMIT)
        assert done.returncode == 0, f"tmux {arguments}: {done.stderr}"
        return done.stdout

    def screen(self):
        return self._tmux("capture-pane", "-p")

    def wait_for(self, text):
        try:
            wait_until(lambda: text in self.screen(), f"the screen shows {text!r}")
        except AssertionError:
            print(self.screen())
            raise

    def type(self, line):
        self._tmux("send-keys", "-l", line)
        self._tmux("send-keys", "Enter")

    def close(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], capture_output=True, timeout=harness.LIMIT)


@contextlib.contextmanager
def profanity():
    with harness.directory() as path:
        terminal = Terminal(path, "profanity")
        try:
            terminal.wait_for("/help")
            yield terminal
        finally:
            terminal.close()


def test_profanity_logs_in_and_talks_with_another_client():
    """profanity logs in without TLS, sends a message that another client gets, and shows the answer."""
    with server() as one, profanity() as terminal:
        async def story():
            bob = await Client(one, "bob").log_in()
            terminal.type(f"/connect alice@localhost server 127.0.0.1 port {one.port} tls disable")
            terminal.wait_for("Enter password")
            terminal.type(one.passwords["alice"])
            terminal.wait_for("logged in successfully")
            terminal.type("/msg bob@localhost hello from a terminal")
            heard = await bob.hear()
            assert heard["body"] == "hello from a terminal"
            assert heard["from"].bare == "alice@localhost"
            bob.say(heard["from"], "hello, terminal")
            await bob.ask()
            terminal.wait_for("hello, terminal")
            await bob.leave()
        session(story)
