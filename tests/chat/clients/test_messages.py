"""What is sent arrives: once, in order, and later if need be."""
import asyncio
import re

import harness
from harness import server
from xmpp import Client, Wire, session

COUNT = 1000


def test_a_thousand_messages_each_way_arrive_once_and_in_order():
    """Two clients send each other 1,000 numbered messages at the same time; each gets all of them, in order."""
    with server() as one:
        async def story():
            alice = await Client(one, "alice").log_in()
            bob = await Client(one, "bob").log_in()
            expected = [str(i) for i in range(COUNT)]
            for i in range(COUNT):
                alice.say("bob@localhost", str(i))
                bob.say("alice@localhost/test", str(i))
            assert await bob.hear_bodies(COUNT) == expected
            assert await alice.hear_bodies(COUNT) == expected
            # Nothing comes twice: what is still on its way is there before the answers to these.
            await alice.ask()
            await bob.ask()
            assert bob.inbox.empty() and alice.inbox.empty()
            await alice.leave()
            await bob.leave()
        session(story)


def test_a_message_to_a_user_who_is_away_is_delivered_at_the_next_login():
    """What bob was sent while away comes when he logs in: in order, once, with the time of sending."""
    with server() as one:
        async def story():
            alice = await Client(one, "alice").log_in()
            for i in range(120):  # more than one batch
                alice.say("bob@localhost", f"away {i}")
            await alice.ask()
            bob = await Client(one, "bob").log_in()
            heard = [await bob.hear() for _ in range(120)]
            assert [m["body"] for m in heard] == [f"away {i}" for i in range(120)]
            assert all(m.xml.find("{urn:xmpp:delay}delay") is not None for m in heard)
            alice.say("bob@localhost", "here")
            now = await bob.hear()
            assert now["body"] == "here" and now.xml.find("{urn:xmpp:delay}delay") is None
            await bob.leave()
            again = await Client(one, "bob").log_in()
            await again.ask()
            assert again.inbox.empty()
            await again.leave()
            await alice.leave()
        session(story)


def test_a_client_that_comes_and_goes_hears_everything_once_and_in_order():
    """Messages that meet a client at its goodbye come at its next login: none is lost, none twice, in order."""
    rounds, each = 120, 10
    with server(config="[limits]\nstanzas_per_second = 0\n") as one, Wire(one) as alice:
        alice.log_in("alice", "here")
        heard = []
        for i in range(rounds):
            with Wire(one) as bob:
                came = bob.arrive("bob", "there")
                alice.send("".join(f"<message to='bob@localhost' type='chat'><body>{i * each + j}</body></message>"
                                   for j in range(each)))
                bob.send("</stream:stream>")
                heard += re.findall(r"<body>(\d+)</body>", came + bob.rest())
        alice.send("<message to='nobody@localhost'><body>?</body></message>")
        alice.until("</message>")  # behind this error, all that was sent before is on disk or delivered
        with Wire(one) as bob:
            heard += re.findall(r"<body>(\d+)</body>", bob.arrive("bob", "there"))
        assert heard == [str(i) for i in range(rounds * each)], heard


def test_waiting_messages_survive_the_server():
    """A message for a user who is away is there after the server was killed and started again."""
    with harness.directory() as path:
        first = harness.Server(path)
        passwords = first.passwords
        try:
            async def send():
                alice = await Client(first, "alice").log_in()
                alice.say("bob@localhost", "are you there?")
                alice.say("nobody@localhost", "and you?")
                # The store answers in order: once this error is back, the message before it is on disk.
                assert (await alice.hear())["type"] == "error"
                alice.abort()
            session(send)
        finally:
            first.kill()
        second = harness.Server(path)
        second.passwords = passwords
        try:
            async def hear():
                bob = await Client(second, "bob").log_in()
                assert (await bob.hear())["body"] == "are you there?"
                await bob.leave()
            session(hear)
            second.terminate()
            assert second.wait() == 0
        finally:
            second.kill()


def test_a_message_to_nobody_is_answered_with_an_error():
    """A message to an account that does not exist comes back as service-unavailable."""
    with server() as one:
        async def story():
            alice = await Client(one, "alice").log_in()
            alice.say("nobody@localhost", "hello?")
            answer = await alice.hear()
            assert answer["type"] == "error" and answer["error"]["condition"] == "service-unavailable"
            await alice.leave()
        session(story)


def test_two_resources_of_one_account_see_each_other():
    """Both clients of an account get its messages and each other's presence, and the end of it."""
    with server() as one:
        async def story():
            desk = await Client(one, "bob", "desk").log_in()
            seen = asyncio.Queue()
            desk.add_event_handler("changed_status", seen.put_nowait)
            phone = await Client(one, "bob", "phone").log_in()
            there = await asyncio.wait_for(seen.get(), harness.LIMIT)
            assert there["from"].resource == "phone" and there["type"] == "available"
            alice = await Client(one, "alice").log_in()
            alice.say("bob@localhost", "both")
            assert await desk.hear_bodies(1) == ["both"] and await phone.hear_bodies(1) == ["both"]
            await phone.leave()
            gone = await asyncio.wait_for(seen.get(), harness.LIMIT)
            assert gone["from"].resource == "phone" and gone["type"] == "unavailable"
            await desk.leave()
            await alice.leave()
        session(story)


def test_the_second_client_with_a_resource_takes_it_over():
    """A new login with the same resource ends the old connection with a conflict."""
    with server() as one:
        async def story():
            old = await Client(one, "bob", "same").log_in()
            new = await Client(one, "bob", "same").log_in()
            assert await old.next_event() == ("stream error", "conflict")
            await asyncio.wait_for(old.ended.wait(), harness.LIMIT)
            alice = await Client(one, "alice").log_in()
            alice.say("bob@localhost/same", "to the new one")
            assert await new.hear_bodies(1) == ["to the new one"]
            await new.leave()
            await alice.leave()
        session(story)
