"""What bench/run measures: the rows with their sizes, their peers, and the goals."""

# Order of the table. A row is one program call that yields one or more figures ("gives").
# n: size for a whole run, and for --quick. cores: worker counts. limit: seconds for one run.
# peers: who can do it; otter's forms are separate lines. larger: the figures of which more is better.
# load: what the clients of a server do (bench/load), and for how many seconds, whole and --quick.


class row:
    def __init__(self, name, program, gives, n, quick, variants, larger=(), limit=60, cores=(1, 2), words=(), runs=5,
                 scales=False, convert=None, load=(), seconds=(4, 0.5)):
        self.name, self.program, self.gives = name, program, gives
        self.n = n if isinstance(n, tuple) else (n,)  # several sizes make a curve
        self.quick = quick if isinstance(quick, tuple) else (quick,)
        self.variants = variants  # {peer: [words of a variant, ...]}
        self.larger, self.limit, self.cores, self.words, self.runs = larger, limit, cores, list(words), runs
        self.scales = scales    # also with 4, 8, 16 ... workers, as far as there are cores
        self.convert = convert  # (figure, n) -> the figure under this row's name, or None: it is another row's
        self.load, self.seconds = list(load), seconds

    def workers(self, cores):
        """The worker counts to measure on a machine with so many cores."""
        more = [2 ** i for i in range(2, 12)] + [cores] if self.scales else []
        return sorted({c for c in [*self.cores, *more] if c <= cores})


def as_memory(figure, n):
    """The curve of memory asks for the whole, where spawn_idle's program says how much one process takes up."""
    if figure["bench"] != "idle_bytes":
        return None
    return {"bench": "idle_memory", "value": figure["value"] * n / 1e6, "unit": "MB"}


FORMS = ["form=behaviour", "form=free"]
ALL = {"otter": FORMS, "caf": [""], "erlang": [""], "go": [""], "boost_fiber": [""], "tokio": [""]}


# Who has sockets. `bare` is a loop around epoll and nothing else: the machine's own limit.
SERVERS = {"otter": [*FORMS, "form=behaviour poller=io_uring"], "caf": [""], "erlang": ["active=once", "active=n"], "go": [""],
           "tokio": [""], "bare": [""]}
# Whose TLS can be measured here, and for which load: each handshake in full, or with the ticket of a connection before.
HANDSHAKES = [f"tls={kind}" for kind in ("full", "resumed")]
SECURE_SERVERS = {"otter": [f"{form} {tls}" for tls in HANDSHAKES for form in FORMS], "go": HANDSHAKES, "bare": HANDSHAKES}
# Clients that send faster than the server handles what it gets, and clients that read none of its answers.
FLOODS = ["flood=slow work=200", "flood=unread"]


def but(*absent, **changed):
    return {peer: changed.get(peer, words) for peer, words in ALL.items() if peer not in absent}


ROWS = [
    row("spawn_exit", "spawn_exit", ["spawn_exit"], 1_000_000, 100_000, ALL),
    row("spawn_idle", "spawn_idle", ["spawn_idle", "idle_bytes"], 1_000_000, 50_000,
        but(erlang=["form=gen_server", "form=hibernate", "form=process"]), limit=120, runs=3),
    row("idle_memory", "spawn_idle", ["idle_memory"], (10_000, 100_000, 500_000, 1_000_000, 2_000_000), (10_000, 50_000),
        but(erlang=["form=gen_server"]), limit=120, cores=(1,), runs=1, convert=as_memory),
    row("ping_pong", "ping_pong", ["ping_pong"], 1_000_000, 100_000, ALL),
    row("ring_1", "ring", ["ring_1"], 1_000_000, 100_000, ALL, words=["tokens=1"]),
    row("ring_100", "ring", ["ring_100"], 1_000_000, 100_000, ALL, words=["tokens=100"]),
    row("many_to_one", "many_to_one", ["many_to_one"], 200_000, 20_000,
        {"otter": [f"{form} mailbox={mailbox}" for form in FORMS for mailbox in ("unbounded", "bounded")],
         "caf": ["mailbox=unbounded"], "erlang": ["mailbox=unbounded"], "go": ["mailbox=bounded"],
         "boost_fiber": ["mailbox=bounded"], "tokio": ["mailbox=bounded", "mailbox=yield"]}, larger=["many_to_one"]),
    row("one_to_many", "one_to_many", ["one_to_many"], 200_000, 10_000,
        but(tokio=["mailbox=bounded", "mailbox=yield"]), larger=["one_to_many"]),
    row("all_to_all", "all_to_all", ["all_to_all"], 10_000, 1_000, ALL, scales=True),
    row("skynet", "skynet", ["skynet"], 1_000_000, 100_000, ALL, limit=90),
    row("call", "call", ["call"], 1_000_000, 100_000, ALL),
    row("call_long_mailbox", "call_long_mailbox", ["call_long_mailbox"], 200_000, 20_000,
        {"otter": ["what=call", "what=receive"], "caf": ["what=call"], "erlang": ["what=call"]}),
    row("behaviour_cost", "behaviour_cost", ["call_cost", "cast_cost", "statem_cost"], 2_000_000, 200_000, {"otter": [""]}),
    row("dynamic_child", "dynamic_child", ["dynamic_child"], 100_000, 10_000,
        {"otter": [f"siblings={n}" for n in (100, 10_000, 100_000)]}, cores=(1,)),
    row("timer_set_cancel", "timer_set_cancel", ["timer_set_cancel"], 1_000_000, 100_000, but("boost_fiber")),
    row("timer_lateness", "timer_lateness", ["timer_lateness_p50", "timer_lateness_p99"], 100_000, 100_000, ALL),
    row("fairness", "fairness", ["fairness_p50", "fairness_p99", "fairness_max"], None, None,
        but(otter=[f"{form} spin={spin}" for spin in ("plain", "checkpoint", "none") for form in FORMS],
            **{peer: ["spin=plain", "spin=none"] for peer in ("caf", "erlang", "go", "boost_fiber", "tokio")}),
        limit=30),
    row("idle", "idle", ["idle_cpu", "idle_wakeups"], 100_000, 20_000, ALL, limit=60, runs=3),
    row("echo", "echo", ["echo_rate", "echo_cpu"], 5_000, 500, SERVERS, larger=["echo_rate"], runs=3,
        load=["echo", "active=200", "bytes=64"]),
    row("accept", "echo", ["accept_rate", "accept_cpu"], 0, 0,
        {peer: words + SECURE_SERVERS.get(peer, []) for peer, words in SERVERS.items()}, larger=["accept_rate"], runs=3,
        load=["churn", "active=64", "bytes=64"]),
    row("connections", "echo", ["conn_bytes", "conn_idle_cpu"], 19_000, 1_000, SERVERS, runs=1, cores=(1,), load=["echo", "active=0"],
        seconds=(10, 2)),
    row("flood", "echo", ["flood_memory", "flood_growth"], 20, 5, {peer: FLOODS for peer in SERVERS}, runs=1, cores=(1,),
        load=["flood"], seconds=(10, 2)),
]

PEERS = ["otter", "caf", "erlang", "go", "boost_fiber", "tokio", "bare"]

# Goals, as a ratio to the best peer in the same run; for otter's behaviours (function: 1.6 times as much).
GOALS = {"spawn_exit": 0.5, "spawn_idle": 0.6, "ping_pong": 0.5, "ring_1": 0.6, "ring_100": 0.9, "all_to_all": 0.8,
         "skynet": 0.8, "call": 0.7, "timer_set_cancel": 0.2, "timer_lateness_p50": 1.5, "timer_lateness_p99": 1.1,
         "one_to_many": 0.7}
# many_to_one has one for each kind of mailbox; larger is better there.
GOALS_MAILBOX = {"unbounded": 4.0, "bounded": 0.8}

# And these to the bare loop, on as many cores. In other rows it is no rival: it does not do the work.
GOALS_BARE = {"echo_rate": 0.95, "echo_cpu": 1.1, "accept_rate": 0.9}
# With TLS the clients compute more than the server does and the rate is theirs, so the server's cost is judged as well.
GOALS_BARE_TLS = {"accept_rate": 0.9, "accept_cpu": 1.1}

# Goals that ask for no peer: the most that a behaviour may take. Of fairness_max the worst run counts.
GOALS_ALONE = {("idle_bytes", ""): 400, ("fairness_p99", "plain"): 20_000, ("fairness_max", "plain"): 50_000,
               ("fairness_p99", "checkpoint"): 100, ("idle_cpu", ""): 0, ("idle_wakeups", ""): 0,
               ("conn_bytes", ""): 700, ("conn_idle_cpu", ""): 0.3, ("flood_growth", ""): 1,
               ("call_cost", ""): 1.3, ("cast_cost", ""): 1.3, ("statem_cost", ""): 1.5}
GOALS_ALONE_FREE = {("idle_bytes", ""): 4096 + 400, ("idle_cpu", ""): 0, ("idle_wakeups", ""): 0, ("conn_idle_cpu", ""): 0.3,
                    ("flood_growth", ""): 1}
# A second worker must not make these slower: a thief that walks a list does.
NEVER_SLOWER_ON_TWO = ["spawn_exit", "spawn_idle"]

# The dotted line of the plots, nanoseconds: what was measured of the machine's own means on 2 virtual cores: a direct
# call of a handler from a loop with a queue 20, a slab block 5, two of them for a round trip.
PHYSICAL = {"spawn_exit": 20, "ping_pong": 40, "ring_1": 20, "ring_100": 20, "all_to_all": 40, "call": 40,
            "timer_set_cancel": 10}
