"""XMPP clients for the tests: slixmpp with an inbox to wait for, and a bare socket for what no client does."""
import asyncio
import base64
import logging
import re
import socket

import slixmpp

from harness import LIMIT

logging.getLogger("slixmpp").setLevel(logging.CRITICAL)
logging.getLogger("asyncio").setLevel(logging.CRITICAL)


class Client(slixmpp.ClientXMPP):
    """A client that writes down what happens to it, in queues that a test waits for."""

    def __init__(self, server, name, resource="test", password=None, mechanism=None):
        super().__init__(f"{name}@localhost/{resource}", password or server.passwords[name], sasl_mech=mechanism)
        self.tested = server
        self["feature_mechanisms"].unencrypted_plain = True
        self.inbox = asyncio.Queue()
        self.happened = asyncio.Queue()  # (what, text)
        self.ended = asyncio.Event()
        self.add_event_handler("message", self.inbox.put_nowait)
        self.add_event_handler("message_error", self.inbox.put_nowait)
        self.add_event_handler("session_start", lambda _: self.happened.put_nowait(("session", "")))
        self.add_event_handler("failed_auth", self._failed)
        self.add_event_handler("stream_error", lambda e: self.happened.put_nowait(("stream error", e["condition"])))
        self.add_event_handler("disconnected", self._disconnected)

    def _failed(self, stanza):
        self.happened.put_nowait(("login failed", stanza["condition"]))

    def _disconnected(self, _):
        self.cancel_connection_attempt()
        self.ended.set()
        self.happened.put_nowait(("disconnected", ""))

    def open(self):
        self.connect(("127.0.0.1", self.tested.port), force_starttls=False, disable_starttls=True)

    async def next_event(self):
        return await asyncio.wait_for(self.happened.get(), LIMIT)

    async def log_in(self, presence=True):
        """Connects, logs in and, unless told otherwise, becomes available: waits for the echo."""
        self.open()
        what, text = await self.next_event()
        assert what == "session", f"{self.boundjid}: {what} {text} instead of a session"
        if presence:
            echo = asyncio.get_running_loop().create_future()
            me = self.boundjid.full

            def arrived(stanza):
                if stanza["from"].full == me and not echo.done():
                    echo.set_result(None)

            self.add_event_handler("presence_available", arrived)
            self.send_presence()
            await asyncio.wait_for(echo, LIMIT)
            self.del_event_handler("presence_available", arrived)
        return self

    def say(self, to, body):
        self.send_message(mto=to, mbody=body, mtype="chat")

    async def hear(self):
        """The next message."""
        return await asyncio.wait_for(self.inbox.get(), LIMIT)

    async def hear_bodies(self, count):
        return [(await self.hear())["body"] for _ in range(count)]

    async def ask(self):
        """A ping to the server, answered: whatever was sent before has been read."""
        iq = self.make_iq_get(ito="localhost")
        iq.append(slixmpp.xmlstream.ET.Element("{urn:xmpp:ping}ping"))
        await iq.send(timeout=LIMIT)

    async def leave(self):
        self.disconnect()
        await asyncio.wait_for(self.ended.wait(), LIMIT)


def session(story):
    """Runs `story()` in a fresh event loop."""
    async def whole():
        return await asyncio.wait_for(story(), 3 * LIMIT)

    return asyncio.run(whole())


class Wire:
    """A bare connection: what is written is exactly what the test says."""

    HEADER = ("<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' "
              "xmlns:stream='http://etherx.jabber.org/streams'>")

    def __init__(self, server, come_from="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT,
                                               source_address=(come_from, 0))
        self.tested = server
        self.got = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, text):
        self.socket.sendall(text.encode())

    def open(self):
        self.send(self.HEADER)
        self.until("</stream:features>")
        return self

    def authenticate(self, name, password):
        token = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
        self.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{token}</auth>")
        return self

    def log_in(self, name, resource):
        self.open().authenticate(name, self.tested.passwords[name]).until("<success")
        self.open().send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                         f"<resource>{resource}</resource></bind></iq>")
        self.until("</iq>")
        return self

    def arrive(self, name, resource):
        """Logs in and becomes available, as far as the echo; gives what came before it: waiting messages."""
        self.log_in(name, resource).send("<presence/>")
        came = ""
        while "<presence " not in came:
            came += self.until(">")
            if ping := re.search(r"<iq type='get' id='(otter-\w+)'[^>]*>$", came):
                self.send(f"<iq type='result' to='localhost' id='{ping[1]}'/>")
        return came

    def pour(self, start, more, size):
        """Writes `start` and then `more` again and again, `size` bytes or as many as are taken."""
        try:
            self.send(start)
            piece = (more * (65536 // len(more) + 1)).encode()
            for _ in range(size // len(piece)):
                self.socket.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def until(self, text):
        """Reads until `text` has come, and returns everything up to it."""
        while text not in self.got:
            data = self.socket.recv(65536)
            assert data, f"the connection ended before {text!r} came, after {self.got!r}"
            self.got += data.decode()
        at = self.got.index(text) + len(text)
        before, self.got = self.got[:at], self.got[at:]
        return before

    def came(self, text):
        """Has `text` come by now? It is left where it is."""
        self.socket.setblocking(False)
        try:
            while data := self.socket.recv(65536):
                self.got += data.decode()
        except BlockingIOError:
            pass
        finally:
            self.socket.settimeout(LIMIT)
        return text in self.got

    def rest(self):
        """Everything until the end of the connection."""
        while True:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return self.got
            if not data:
                return self.got
            self.got += data.decode()
