"""What goes wrong with one connection is that connection's."""
import asyncio

from harness import LIMIT, server, wait_until
from xmpp import Client, Wire, session


def test_a_client_killed_in_mid_stream_is_forgotten():
    """A client that vanishes in the middle of a stanza is gone for the others, and its messages wait for it."""
    with server() as one:
        async def story():
            desk = await Client(one, "bob", "desk").log_in()
            changes = asyncio.Queue()
            desk.add_event_handler("changed_status", changes.put_nowait)
            phone = await Client(one, "bob", "phone").log_in()
            assert (await asyncio.wait_for(changes.get(), LIMIT))["type"] == "available"
            phone.send_raw("<message to='alice@localhost'><body>unfini")
            phone.transport.abort()  # a reset, no goodbye
            gone = await asyncio.wait_for(changes.get(), LIMIT)
            assert gone["from"].resource == "phone" and gone["type"] == "unavailable"
            alice = await Client(one, "alice").log_in()
            alice.say("bob@localhost", "still there?")
            assert await desk.hear_bodies(1) == ["still there?"]
            assert alice.inbox.empty()  # the unfinished message was none
            await desk.leave()
            await alice.leave()
        session(story)


def test_a_session_that_throws_ends_alone():
    """A session process that throws closes its own connection; every other one works on, and the log says why."""
    with server("--fault-injection", config="[limits]\nresources_per_account = 30\n") as one:
        async def story():
            others = [await Client(one, "alice", f"other{i}").log_in() for i in range(20)]
            bob = await Client(one, "bob").log_in()
            victim = await Client(one, "bob", "victim").log_in()
            victim.say("alice@localhost", "otter: throw")
            assert await victim.next_event() == ("stream error", "internal-server-error")
            await asyncio.wait_for(victim.ended.wait(), LIMIT)
            for i, other in enumerate(others):
                bob.say(f"alice@localhost/other{i}", f"are you well, {i}?")
            for i, other in enumerate(others):
                assert await other.hear_bodies(1) == [f"are you well, {i}?"]
                other.say("bob@localhost/test", "well")
            assert await bob.hear_bodies(len(others)) == ["well"] * len(others)
            again = await Client(one, "bob", "victim").log_in()  # it may come back, too
            for client in [*others, bob, again]:
                await client.leave()
        session(story)
        wait_until(lambda: "terminates" in one.log() and "this session was asked to throw" in one.log(),
                   "the crash is in the log")
        assert "bob@localhost/victim" in one.log()


def test_without_the_option_no_client_can_make_a_session_throw():
    """The body that makes a session throw is an ordinary message unless the operator has asked for faults."""
    with server() as one:
        async def story():
            alice = await Client(one, "alice").log_in()
            bob = await Client(one, "bob").log_in()
            bob.say("alice@localhost", "otter: throw")
            assert await alice.hear_bodies(1) == ["otter: throw"]
            await alice.leave()
            await bob.leave()
        session(story)


def test_bytes_that_are_no_stream_end_that_connection_only():
    """A connection that sends no XML gets its stream error, and a client beside it notices nothing."""
    with server() as one:
        async def story():
            alice = await Client(one, "alice").log_in()
            with Wire(one) as wire:
                wire.send("GET / HTTP/1.1\r\n\r\n")
                assert "not-well-formed" in wire.rest()
            await alice.ask()
            await alice.leave()
        session(story)
