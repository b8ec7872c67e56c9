"""What one client may ask of the server, and that nobody else has to wait for it."""
import asyncio
import base64

import harness
from harness import server, wait_until
from xmpp import Client, Wire, session


def test_connections_per_address_are_limited():
    """One connection too many from an address is told so and closed; when one ends there is room again."""
    with server(config="[limits]\nconnections_per_address = 3\n") as one:
        wires = [Wire(one) for _ in range(3)]
        for wire in wires:
            wire.send(Wire.HEADER)
            wire.until("</stream:features>")
        with Wire(one) as too_many:
            assert "policy-violation" in too_many.rest()
        wires.pop().socket.close()

        def room_again():
            with Wire(one) as wire:
                try:
                    wire.send(Wire.HEADER)
                    return "</stream:features>" in wire.until("</stream:features>")
                except (AssertionError, OSError):  # turned away
                    return False
        wait_until(room_again, "there is room for another connection")
        for wire in wires:
            wire.socket.close()


def test_a_client_that_does_not_read_is_cut_and_nobody_waits():
    """A client that reads nothing is cut when its send queue is full; others are served meanwhile."""
    with server(config="[limits]\nsend_queue_bytes = 65536\nbytes_per_second = 0\nstanzas_per_second = 0\n") as one:
        async def story():
            deaf = await Client(one, "bob", "deaf").log_in()
            deaf.transport.pause_reading()
            alice = await Client(one, "alice").log_in()
            other = await Client(one, "alice", "other").log_in()
            body = "x" * 30000

            def cut():
                alice.say("bob@localhost/deaf", body)
                return "bytes=65536" in one.log()

            end = asyncio.get_running_loop().time() + harness.LIMIT
            while not cut():
                await other.ask()  # answered in time, or this fails
                assert asyncio.get_running_loop().time() < end, "the deaf client was not cut"
            alice.say("alice@localhost/other", "still here")
            assert await other.hear_bodies(1) == ["still here"]
            deaf.abort()
            await alice.leave()
            await other.leave()
        session(story)


def test_who_guesses_passwords_has_to_wait():
    """After too many failed logins from an address the next answer waits; a right password gets in all the same."""
    limits = "[limits]\nfailed_logins_burst = 3\nfailed_logins_per_second = 1\nlogin_attempts = 6\n"
    with server(config=limits) as one:
        guess = base64.b64encode(b"\0alice\0guess").decode()
        with Wire(one) as wire:
            wire.send(Wire.HEADER)
            wire.until("</stream:features>")
            for _ in range(5):
                wire.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{guess}</auth>")
                wire.until("<not-authorized/></failure>")
        assert "too many have failed" in one.log()

        async def story():
            alice = await Client(one, "alice").log_in()
            await alice.leave()
        session(story)


def test_guesses_at_one_account_from_many_addresses_have_to_wait():
    """Guesses at one account are braked wherever they come from, but not its owner where he was before."""
    limits = "[limits]\nfailed_logins_burst = 3\nfailed_logins_per_second = 1\n"
    with server(config=limits) as one:
        with Wire(one) as home:
            home.log_in("alice", "home")
        for i in range(5):
            with Wire(one, f"127.0.1.{i + 1}") as wire:
                wire.open().authenticate("alice", "guess").until("<not-authorized/></failure>")
        with Wire(one, "127.0.2.1") as stranger, Wire(one) as owner:
            stranger.open().authenticate("alice", "guess").until("<not-authorized/></failure>")
            owner.log_in("alice", "home")
        assert 'user=alice from=127.0.2.1' in one.log()
        assert 'user=alice from=127.0.0.1' not in one.log()


def test_a_message_over_the_limit_ends_the_stream():
    """An element larger than allowed gets policy-violation before it is complete."""
    with server() as one:
        with Wire(one) as wire:
            wire.send(Wire.HEADER)
            wire.until("</stream:features>")
            wire.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + "A" * 9000)
            assert "policy-violation" in wire.rest()


def test_elements_without_end_cost_no_memory_and_nobody_waits():
    """Huge text, attributes, depth: each stream ends with policy-violation, memory stays, others are served."""
    with server(config="[limits]\nclose_seconds = 1\nbytes_per_second = 0\n") as one:
        async def story():
            alice = await Client(one, "alice").log_in()
            before = one.most_memory()
            size = 40_000_000
            for start, more in (("<message><body>", "x"), ("<message to='", "x"), ("<message>", "<a>"),
                                ("<message>", "<a/>"), ("<", "x"), ("<message><!--", "x")):
                def attack():
                    with Wire(one) as wire:
                        wire.log_in("bob", "big").pour(start, more, size)
                        return wire.rest()
                last = asyncio.get_running_loop().run_in_executor(None, attack)
                while not last.done():
                    await alice.ask()
                text = await last
                assert text.endswith("</stream:error></stream:stream>") and "<policy-violation " in text, (start, text)
            assert one.most_memory() - before < 8_000_000, one.most_memory() - before
            await alice.leave()
        session(story)


def test_connections_that_never_speak_are_closed_and_others_get_in():
    """A thousand silent connections are closed at the deadline, with the reason; meanwhile others log in."""
    limits = "[limits]\nconnections_per_address = 2000\nheader_seconds = 2\nlogin_seconds = 4\nclose_seconds = 1\n"
    with server(config=limits) as one:
        silent = [Wire(one) for _ in range(1000)]
        with Wire(one) as slow:
            slow.open().send("<au")  # and never more
            with Wire(one) as other:
                other.log_in("alice", "here")
            for wire in silent:
                assert "<connection-timeout " in wire.rest()
                wire.socket.close()
            assert "<connection-timeout " in slow.rest()


def test_running_out_of_descriptors_is_said_once_and_hurts_nobody():
    """Without descriptors accepting pauses, one line says so, clients are served, and those who wait get in later."""
    with server(descriptors=64, config="[limits]\nconnections_per_address = 1000\n") as one:
        with Wire(one) as alice:
            alice.log_in("alice", "here")
            wires = []
            while "cannot accept a connection" not in one.log():
                assert len(wires) < 64
                wires.append(Wire(one))
                wires[-1].send(Wire.HEADER)
                harness.wait_until(lambda: wires[-1].came("</stream:features>") or
                                   "cannot accept a connection" in one.log(), "an answer, or the line in the log")
            alice.send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
            alice.until("id='p'")
            for wire in wires[:-1]:
                wire.socket.close()
            wires[-1].until("</stream:features>")
            wires[-1].socket.close()
        assert one.log().count("cannot accept a connection") == 1


def test_what_is_sent_before_the_login_is_complete_is_never_acted_upon():
    """A stanza glued behind the login's last element ends the stream, whatever the password."""
    with server() as one:
        token = base64.b64encode(b"\0alice\0" + one.passwords["alice"].encode()).decode()
        with Wire(one) as wire:
            wire.send(Wire.HEADER)
            wire.until("</stream:features>")
            wire.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{token}</auth>"
                      "<message to='bob@localhost'><body>sneaky</body></message>")
            assert "policy-violation" in wire.rest()

        async def story():
            bob = await Client(one, "bob").log_in()
            await bob.ask()
            assert bob.inbox.empty()
            await bob.leave()
        session(story)


def test_a_client_that_writes_byte_by_byte_is_served():
    """A login in segments of one byte works like any other."""
    with server() as one:
        token = base64.b64encode(b"\0alice\0" + one.passwords["alice"].encode()).decode()
        with Wire(one) as wire:
            def slowly(text):
                for byte in text:
                    wire.send(byte)
            slowly(Wire.HEADER)
            wire.until("</stream:features>")
            slowly(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{token}</auth>")
            wire.until("<success")
            slowly(Wire.HEADER)
            wire.until("</stream:features>")
            slowly("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
            assert "alice@localhost/" in wire.until("</iq>")
            slowly("</stream:stream>")
            assert wire.rest().endswith("</stream:stream>")


def test_a_client_that_is_too_quick_is_slowed_down_and_loses_nothing():
    """Beyond the allowed rate the server reads more slowly; every message arrives all the same, in order."""
    with server(config="[limits]\nstanzas_per_second = 100\nstanzas_burst = 10\n") as one:
        async def story():
            alice = await Client(one, "alice").log_in()
            bob = await Client(one, "bob").log_in()
            for i in range(150):
                alice.say("bob@localhost", str(i))
            assert await bob.hear_bodies(150) == [str(i) for i in range(150)]
            await alice.leave()
            await bob.leave()
        session(story)
