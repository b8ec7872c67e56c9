#!/usr/bin/env python3
"""no_wall_clock.py [ROOT]: time, chance and sockets come through the interfaces, or a seed decides nothing.

The simulation runs a whole node from one seed. It can only do so if nothing in runtime/ and actors/ reads a
clock, a random number or a socket by itself, and nothing is ordered by an address.
"""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from cpp_text import code_only, line_of, sources

# What is looked for, and the files that implement the interface and so may do it.
RULES = [
    ("reads a clock",
     r"(?<!node)_clock::now\s*\(|\b(?:clock_gettime|gettimeofday|timespec_get|ftime)\s*\(|(?<![\w.>])(?:::|std::)?time\s*\(\s*(?:nullptr|NULL|0|&)"
     r"|\b_*rdtscp?\b|(?<!\w)(?:::|std::)clock\s*\(\s*\)",
     ["runtime/src/base/clock", "runtime/src/poller/"]),
    ("draws a random number",
     r"\brandom_device\b|\bmt19937|\bminstd_rand|\bdefault_random_engine\b|(?<![\w.>])(?:::|std::)?s?rand\s*\("
     r"|\b(?:getrandom|getentropy|arc4random\w*|RAND_bytes|[dlm]rand48)\s*\(",
     ["runtime/src/base/random", "runtime/src/scheduler/threads_driver",
      "runtime/src/node/node_core"]),  # the secret of the names; a simulation takes its seed
    ("uses a socket",
     r"(?<![\w>)])::(?:socket|socketpair|accept4?|bind|listen|connect|recv|recvfrom|recvmsg|recvmmsg|send|sendto"
     r"|sendmsg|sendmmsg|shutdown|getaddrinfo|setsockopt|getsockopt|poll|ppoll|select|pselect)\s*\("
     r"|\b(?:epoll_(?:create1?|ctl|p?wait2?)|io_uring_\w+|getaddrinfo|gethostbyname\w*)\s*\(",
     ["runtime/src/poller/", "runtime/src/io/socket_network", "runtime/src/io/direct_table",
      "actors/src/stop_signals",  # what a whole program waits for, never in a simulation
      "actors/tools/"]),  # programs of their own, which run no node
    ("orders by an address",
     r"\bstd::(?:map|set|multimap|multiset|unordered_map|unordered_set)\s*<[^<>,;]*\*\s*[,>]"
     r"|\bstd::(?:less|hash|greater)\s*<[^<>,;]*\*\s*>",
     []),
]


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent)
    files = sources(root, "runtime", "actors")
    problems = 0
    for path in files:
        name = path.relative_to(root).as_posix()
        text = code_only(path.read_text(errors="replace"))
        for what, pattern, allowed in RULES:
            if any(name.startswith(prefix) for prefix in allowed):
                continue
            for match in re.finditer(pattern, text):
                print(f"{name}:{line_of(text, match.start())}: {what} by itself: {match.group(0).strip()}")
                problems += 1
    if not files:
        print("no_wall_clock: no sources found")
        return 2
    print(f"no_wall_clock: {len(files)} files, {problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
