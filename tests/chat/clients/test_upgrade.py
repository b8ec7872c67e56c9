"""The sessions' module is replaced while clients talk: by plans, over the admin socket, as an operator does it.

Version 2 of the module is beside the server. Versions 1 and 3 are built with the tests: OTTER_CHAT_SESSIONS is their
folder, if it is not the one in the same build. Sizes: OTTER_CHAT_PAIRS that talk (200) and OTTER_CHAT_IDLE connections (300) that say nothing.
"""
import asyncio
import base64
import hashlib
import hmac
import os
import pathlib
import re
import socket
import sqlite3
import subprocess

from harness import LIMIT, Server, directory
from xmpp import Client, session

PAIRS = int(os.environ.get("OTTER_CHAT_PAIRS", "200"))
IDLE = int(os.environ.get("OTTER_CHAT_IDLE", "300"))
CONFIG = """
scram_iterations = 4096
[limits]
connections_per_address = 100000
resources_per_account = 1000
"""


def session_file(version):
    program = pathlib.Path(os.environ["OTTER_CHAT"]).resolve()
    others = os.environ.get("OTTER_CHAT_SESSIONS") or program.parents[2] / "tests/chat"
    return (program.parent if version == 2 else pathlib.Path(others).resolve()) / f"chat_session-{version}.so"


class Operator:
    """Who gives the server its plans, and reads what it says to them."""

    def __init__(self, one):
        self.folder = one.directory
        self.socket = one.directory / "admin"

    def ask(self, request):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(LIMIT)
            s.connect(str(self.socket))
            s.sendall(f"{request}\n".encode())
            lines = []
            for line in iter(s.makefile().readline, ""):
                lines.append(line.rstrip("\n"))
                if not line.startswith(" "):
                    break
            return lines

    def go_to(self, version):
        """The lines of the answer; the last is `ok`, or begins with `error`."""
        plan = self.folder / f"to-{version}.toml"
        plan.write_text(f'[[module]]\nname = "chat_session"\nfile = "{session_file(version)}"\nto = "{version}"\n')
        return self.ask(f"upgrade {plan}")

    async def go(self, version):
        return await asyncio.to_thread(self.go_to, version)


class upgradable:
    """A server that begins with version 1, and has as many accounts as the clients need."""

    def __init__(self, first=1, accounts=0):
        self.first, self.accounts = first, accounts

    def __enter__(self):
        self.folder = directory()
        path = self.folder.__enter__()
        self.one = None
        passwords = None
        if self.accounts:  # copies of alice's, in a database that nobody has open
            made = Server(path, config=CONFIG)
            passwords = made.passwords
            made.terminate()
            made.wait()
            with sqlite3.connect(f"{path}/data/chat.db") as db:
                columns = [c[1] for c in db.execute("PRAGMA table_info(account)")][1:]
                for i in range(self.accounts):
                    db.execute(f"INSERT INTO account SELECT ?, {', '.join(columns)} FROM account WHERE name = 'alice'",
                               (f"user{i}",))
            db.close()
        self.one = Server(path, ("--admin", f"{path}/admin", "--session-module", str(session_file(self.first))),
                          CONFIG, log="info")
        if passwords:
            self.one.passwords = passwords
        return self.one

    def __exit__(self, kind, *_):
        try:
            if self.one and kind is None:
                self.one.terminate()
                status = self.one.wait()
                assert status == 0, f"the server ended with status {status}"
        finally:
            if self.one:
                self.one.kill()
            self.folder.__exit__(None, None, None)


class Raw:
    """A client on a bare stream: for hundreds of them at once."""

    HEADER = ("<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' "
              "xmlns:stream='http://etherx.jabber.org/streams'>")
    salted = {}  # of SCRAM: derived once for each account

    def __init__(self, one, name, resource):
        self.one, self.name, self.resource = one, name, resource
        self.got = ""

    def send(self, text):
        self.writer.write(text.encode())

    async def until(self, text):
        while (at := self.got.find(text)) < 0:
            data = await asyncio.wait_for(self.reader.read(65536), 2 * LIMIT)
            assert data, f"{self.name}/{self.resource}: the connection ended before {text!r}, after {self.got[-200:]!r}"
            self.got += data.decode()
        before, self.got = self.got[:at + len(text)], self.got[at + len(text):]
        return before

    async def open(self):
        self.send(self.HEADER)
        await self.until("</stream:features>")

    async def connect(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.one.port)
        await self.open()

    def plain(self, password=None):
        token = f"\0{self.name}\0{password or self.one.passwords.get(self.name, self.one.passwords['alice'])}"
        self.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"
                  f"{base64.b64encode(token.encode()).decode()}</auth>")

    async def scram(self):
        """What costs the server next to nothing."""
        first = f"n={self.name},r=client"
        self.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>"
                  f"{base64.b64encode(('n,,' + first).encode()).decode()}</auth>")
        await self.until(">")
        answer = base64.b64decode((await self.until("</challenge>"))[:-len("</challenge>")]).decode()
        nonce, salt, count = re.fullmatch(r"r=(.+),s=(.+),i=(\d+)", answer).groups()
        password = self.one.passwords.get(self.name, self.one.passwords["alice"])
        key = (password, salt, count)
        if key not in self.salted:
            self.salted[key] = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(count))
        last = f"c=biws,r={nonce}"
        client_key = hmac.digest(self.salted[key], b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client_key).digest(), f"{first},{answer},{last}".encode(), "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature))).decode()
        self.send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
                  f"{base64.b64encode(f'{last},p={proof}'.encode()).decode()}</response>")
        await self.until("</success>")

    async def bind(self):
        await self.open()
        self.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                  f"<resource>{self.resource}</resource></bind></iq>")
        await self.until("</iq>")

    async def log_in(self):
        await self.connect()
        await self.scram()
        await self.bind()
        return self

    async def knows_the_time(self):
        self.send("<iq type='get' id='t' to='localhost'><time xmlns='urn:xmpp:time'/></iq>")
        return "<utc>" in await self.until("</iq>")

    def say(self, to, body):
        self.send(f"<message type='chat' to='{to}'><body>{body}</body></message>")

    async def hear(self):
        await self.until("<body>")
        return (await self.until("</body>"))[:-len("</body>")]

    async def leave(self):
        self.send("</stream:stream>")
        last = await self.until("</stream:stream>")
        self.writer.close()
        return last


async def talk(client, other, stop):
    """Numbers both ways, one always on its way, until `stop`; gives how many were said and heard."""
    said = heard = 0
    client.say(other, said)
    said += 1
    ended = False
    while (body := await client.hear()) != "end":
        assert body == str(heard), f"{client.name}/{client.resource} heard {body}, not {heard}"
        heard += 1
        if not stop.is_set():
            client.say(other, said)
            said += 1
        elif not ended:
            ended = True
            client.say(other, "end")
    if not ended:
        client.say(other, "end")
    rest = await client.leave()
    assert "<message" not in rest, rest
    return said, heard


def pause_of(answer):
    """The line about the module in the table of the answer."""
    return next((" ".join(line.split()) for line in answer if "->" in line), "")


def test_clients_talk_on_while_the_sessions_go_from_version_to_version():
    """Hundreds of connections talk, some in the middle of a stanza, some in a login, while the sessions go from version 1 to 2, to 1 and 2, and version 3 is refused: none ends, and every message arrives once and in order."""
    accounts = 2 * PAIRS // 900 + 2
    with upgradable(accounts=accounts) as one:
        operator = Operator(one)

        async def story():
            stop = asyncio.Event()
            people = []
            for i in range(PAIRS):
                a = await Raw(one, f"user{i % accounts}", f"a{i}").log_in()
                b = await Raw(one, f"user{i % accounts}", f"b{i}").log_in()
                people.append((a, f"{b.name}@localhost/{b.resource}"))
                people.append((b, f"{a.name}@localhost/{a.resource}"))
            real = [await Client(one, name).log_in() for name in ("alice", "bob")]
            halves = [await Raw(one, "alice", f"half{i}").log_in() for i in range(20)]
            busy = await Raw(one, "bob", "busy").log_in()
            talking = [asyncio.create_task(talk(c, other, stop)) for c, other in people]
            heard = []
            number = 0

            async def real_ones_say(count):
                nonlocal number
                for _ in range(count):
                    for one_of, to in ((real[0], "bob@localhost/test"), (real[1], "alice@localhost/test")):
                        one_of.say(to, str(number))
                    number += 1
                heard.extend([await c.hear_bodies(count) for c in real])

            reports = []
            for version in (2, 1, 2):
                for half in halves:
                    half.send("<message type='chat' to='alice@localhost/" + half.resource + "'><bo")
                logins = [Raw(one, "bob", f"login{i}") for i in range(10)]
                for login in logins:
                    await login.connect()
                    login.plain()  # the key is derived meanwhile
                speaking = asyncio.create_task(real_ones_say(20))
                answer = await operator.go(version)
                assert answer[-1] == "ok", answer
                reports.append(f"to {version}: {pause_of(answer)}")
                for half in halves:
                    half.send("dy>whole</body></message>")
                    assert await half.hear() == "whole"
                    assert await half.knows_the_time() == (version == 2)
                for login in logins:
                    await login.until("<success")
                    await login.until(">")
                    await login.bind()
                    assert await login.knows_the_time() == (version == 2)
                    await login.leave()
                await speaking
            for _ in range(300):  # more than version 3 can count
                busy.send("<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
            for _ in range(300):
                await busy.until("id='p'")
            answer = await operator.go(3)
            assert answer[-1].startswith("error"), answer
            assert "received" in "".join(answer), answer
            assert await busy.knows_the_time()
            await real_ones_say(20)
            stop.set()
            totals = await asyncio.gather(*talking)
            for i in range(0, len(totals), 2):
                (said_a, heard_a), (said_b, heard_b) = totals[i], totals[i + 1]
                assert (said_a, said_b) == (heard_b, heard_a), (totals[i], totals[i + 1])
            for side in (0, 1):
                bodies = [b for part in heard[side::2] for b in part]
                assert bodies == [str(n) for n in range(number)], bodies
            for client in real:
                await client.leave()
            for client in (*halves, busy):
                await client.leave()
            print(f"       {len(people)} clients, {sum(s for s, _ in totals)} messages between them")
            for line in reports:
                print(f"       {line}")
        session(story)


def test_idle_connections_go_to_another_version():
    """Connections that are logged in and silent go to the next version, all of them, and answer there."""
    accounts = IDLE // 900 + 1
    with upgradable(accounts=accounts) as one:
        operator = Operator(one)

        async def story():
            idle = []
            for begin in range(0, IDLE, 100):
                idle += await asyncio.gather(*(Raw(one, f"user{i % accounts}", f"r{i}").log_in()
                                               for i in range(begin, min(begin + 100, IDLE))))
            for version in (2, 1, 2):
                answer = await operator.go(version)
                assert answer[-1] == "ok", answer
                print(f"       to {version}: {pause_of(answer)}")
            for client in idle[::max(1, IDLE // 100)]:
                assert await client.knows_the_time()
            for client in idle:
                client.writer.close()
        session(story)


def test_a_module_that_is_missing_is_an_error_of_the_start():
    """A module that is not there, or is none, is said in one line with its path, and the server does not start."""
    with directory() as path:
        bad = pathlib.Path(path) / "chat_session-9.so"
        for content in (None, b"no module"):
            if content is not None:
                bad.write_bytes(content)
            done = subprocess.run([os.environ["OTTER_CHAT"], "--data-dir", f"{path}/data", "--listen", "127.0.0.1:0",
                                   "--session-module", str(bad)], capture_output=True, text=True, timeout=LIMIT)
            assert done.returncode == 1 and f"the sessions cannot be loaded: {bad}" in done.stderr, done
