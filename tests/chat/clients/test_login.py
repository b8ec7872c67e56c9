"""Who gets in, and how."""
from harness import server
from xmpp import Client, session


def log_in_with(mechanism):
    with server() as one:
        async def story():
            alice = await Client(one, "alice", mechanism=mechanism).log_in()
            assert alice["feature_mechanisms"].mech.name == mechanism
            await alice.leave()
        session(story)


def test_scram_sha_1():
    """A client logs in with SCRAM-SHA-1."""
    log_in_with("SCRAM-SHA-1")


def test_scram_sha_256():
    """A client logs in with SCRAM-SHA-256."""
    log_in_with("SCRAM-SHA-256")


def test_plain():
    """A client logs in with PLAIN."""
    log_in_with("PLAIN")


def test_a_wrong_password_is_refused():
    """A wrong password gets not-authorized with every mechanism, and the right one works after it."""
    with server() as one:
        async def story():
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"):
                wrong = Client(one, "alice", password="wrong", mechanism=mechanism)
                wrong.open()
                assert await wrong.next_event() == ("login failed", "not-authorized")
                wrong.abort()
            alice = await Client(one, "alice").log_in()
            await alice.leave()
        session(story)


def test_an_unknown_account_is_refused_like_a_wrong_password():
    """Whether an account exists cannot be told from the refusal."""
    with server() as one:
        async def story():
            nobody = Client(one, "nobody", password="whatever")
            nobody.open()
            assert await nobody.next_event() == ("login failed", "not-authorized")
            nobody.abort()
        session(story)
