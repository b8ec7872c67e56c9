"""How the server starts, refuses to start, and stops."""
import asyncio
import os
import signal
import subprocess

from harness import LIMIT, directory, server
from xmpp import Client, Wire, session


def refused(*options):
    """Runs the server with options that it must refuse; gives what it wrote."""
    with directory() as path:
        done = subprocess.run([os.environ["OTTER_CHAT"], "--data-dir", f"{path}/data", *options],
                              capture_output=True, text=True, timeout=LIMIT)
        assert done.returncode == 2, f"status {done.returncode}: {done.stdout} {done.stderr}"
        assert done.stdout == "", done.stdout
        assert not os.path.exists(f"{path}/data")
        return done.stderr


def stop_with(number):
    with server() as one:
        async def story():
            alice = await Client(one, "alice").log_in()
            bob = await Client(one, "bob").log_in()
            with Wire(one) as silent, Wire(one) as opened:
                opened.send(Wire.HEADER)
                opened.until("</stream:features>")
                one.process.send_signal(number)
                for client in (alice, bob):
                    assert await client.next_event() == ("stream error", "system-shutdown")
                    await asyncio.wait_for(client.ended.wait(), LIMIT)
                for wire in (silent, opened):
                    last = wire.rest()
                    assert "system-shutdown" in last and last.endswith("</stream:stream>"), last
        session(story)
        assert one.wait() == 0


def test_sigterm_ends_the_streams_politely():
    """SIGTERM: every client gets the stream error system-shutdown and a closing tag; the exit status is 0."""
    stop_with(signal.SIGTERM)


def test_sigint_ends_the_streams_politely():
    """Ctrl-C does the same as SIGTERM."""
    stop_with(signal.SIGINT)


def test_a_client_that_does_not_answer_does_not_hold_the_end_up():
    """A client that never closes its side is cut when the limit has passed, and the server ends with status 0."""
    with server(config="[limits]\nclose_seconds = 1\n") as one:
        with Wire(one) as wire:
            wire.send(Wire.HEADER)
            wire.until("</stream:features>")
            one.terminate()
            assert one.wait() == 0  # while our side is open
            assert "system-shutdown" in wire.rest()


def test_an_address_that_is_not_loopback_is_refused():
    """Nothing is encrypted, so another address than loopback is refused unless the operator insists."""
    text = refused("--listen", "0.0.0.0:0")
    assert "0.0.0.0 is not a loopback address" in text and "--insecure-plaintext" in text, text


def test_a_bad_value_in_the_configuration_is_refused_by_line():
    """A bad value is refused before anything is touched: file, line, key, and what is wrong."""
    with directory() as path:
        file = f"{path}/chat.toml"
        with open(file, "w") as out:
            out.write("domain = \"localhost\"\n\n[limits]\nstanza_bytes = 5\n")
        text = refused("--config", file)
        assert f"{file}:4: limits.stanza_bytes: 5 is not within 10000" in text, text
        with open(file, "w") as out:
            out.write("domian = \"localhost\"\n")
        assert f"{file}:1: domian: unknown key" in refused("--config", file)
        with open(file, "w") as out:
            out.write("domain = \"localhost\"\nlog_level = loud\n")
        assert f"{file}:2: " in refused("--config", file)


def test_an_address_in_use_is_refused():
    """A second server on the same port says so and ends."""
    with server() as one, directory() as path:
        done = subprocess.run([os.environ["OTTER_CHAT"], "--data-dir", f"{path}/data", "--listen",
                               f"127.0.0.1:{one.port}"], capture_output=True, text=True, timeout=LIMIT)
        assert done.returncode == 1 and f"cannot listen on 127.0.0.1:{one.port}" in done.stderr, done


def test_help_lists_the_options():
    """--help says what there is, and ends with status 0."""
    done = subprocess.run([os.environ["OTTER_CHAT"], "--help"], capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0
    for option in ("--config", "--data-dir", "--demo-accounts", "--listen", "--insecure-plaintext",
                   "--fault-injection", "SIGTERM"):
        assert option in done.stdout, option


def test_the_log_has_no_secrets():
    """Passwords are printed once, on standard output, and never logged; nor is what people write."""
    with server() as one:
        async def story():
            alice = await Client(one, "alice", mechanism="PLAIN").log_in()
            wrong = Client(one, "bob", password="my wrong password", mechanism="PLAIN")
            wrong.open()
            assert await wrong.next_event() == ("login failed", "not-authorized")
            wrong.abort()
            alice.say("bob@localhost", "a secret between us")
            await alice.ask()
            await alice.leave()
        session(story)
        for secret in (*one.passwords.values(), "my wrong password", "a secret between us"):
            assert secret not in one.log(), secret
        assert all(one.printed().count(p) == 1 for p in one.passwords.values())
