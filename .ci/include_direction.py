#!/usr/bin/env python3
"""include_direction.py [ROOT]: the order of the rooms, read from the includes.

Includes point down only. A room may include its own headers and those of the rooms below it; rooms of one
height do not include one another. A public header belongs to the room whose CMakeLists.txt lists it, and the
order holds for it too. actors/ and examples/ see public headers only, and no public header includes Boost.
Also: names that say nothing (util, common, misc, helpers), and calls that would reach the C library
because they are not qualified (exit, send, link, kill, signal).
"""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from cpp_text import HOUSES, SUFFIXES, code_only, line_of, sources

HEIGHT = {"base": 0, "message": 1, "stacks": 1, "timers": 1, "poller": 1, "scheduler": 2, "process": 3,
          "io": 4, "code": 4, "node": 5, "cluster": 6}
EMPTY_NAMES = {"util", "utils", "utility", "common", "misc", "helper", "helpers"}
POSIX_NAMES = ("exit", "send", "link", "kill", "signal")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(<([^>]+)>|"([^"]+)")', re.M)
LISTED = re.compile(r"(?:^|[\s/])include/(otter/[\w./-]+\.hpp)")


class check:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.problems = []
        self.public = {}  # "otter/pid.hpp" -> "runtime" or "actors"
        self.room_of = {}  # "otter/pid.hpp" -> "base"

    def bad(self, path, line, text):
        self.problems.append(f"{path.relative_to(self.root)}:{line}: {text}")

    def run(self):
        self.learn_public_headers()
        for house in HOUSES:
            for path in sources(self.root, house):
                text = path.read_text(errors="replace")
                self.includes_of(house, path, code_only(text))
                self.unqualified_calls(path, code_only(text))
        self.names()
        return self.problems

    def learn_public_headers(self):
        for house in ("runtime", "actors"):
            base = self.root / house / "include"
            for path in sources(self.root, f"{house}/include"):
                self.public[path.relative_to(base).as_posix()] = house
        for lists in sorted((self.root / "runtime" / "src").glob("*/CMakeLists.txt")):
            words = re.sub(r"#[^\n]*", "", lists.read_text())
            for header in LISTED.findall(words):
                first = self.room_of.setdefault(header, lists.parent.name)
                if first != lists.parent.name:
                    self.bad(lists, 1, f"<{header}> is listed by two rooms, {first} and {lists.parent.name}")
                if header not in self.public:
                    self.bad(lists, 1, f"<{header}> is listed but does not exist")
        for header, house in self.public.items():
            if house == "runtime" and header not in self.room_of:
                self.bad(self.root / "runtime/include" / header, 1,
                         "no room's CMakeLists.txt lists this public header, so it is not installed")

    def place(self, house, path):
        """(kind, room): public, room, actors, or outside."""
        parts = path.relative_to(self.root).parts
        if parts[1:2] == ("include",):
            header = "/".join(parts[2:])
            return "public", self.room_of.get(header) if house == "runtime" else "actors"
        if house == "runtime" and parts[1:2] == ("src",) and len(parts) > 3:
            return "room", parts[2]
        return ("actors" if house == "actors" else "outside"), None

    def includes_of(self, house, path, text):
        kind, room = self.place(house, path)
        if kind == "room" and room not in HEIGHT:
            self.bad(path, 1, f"room {room} has no place in the order of the rooms")
            return
        for match in INCLUDE.finditer(text):
            line = line_of(text, match.start(1))
            angled, quoted = match.group(2), match.group(3)
            if angled:
                self.angled(house, path, kind, room, line, angled)
            else:
                self.quoted(house, path, kind, room, line, quoted)

    def angled(self, house, path, kind, room, line, name):
        if kind == "public" and name.startswith("boost/"):
            self.bad(path, line, f"a public header includes Boost: <{name}>")
        if not name.startswith("otter/"):
            if (self.root / "runtime/src" / name).is_file():
                self.bad(path, line, f'a private header is included with quotes: "{name}"')
            return
        if name not in self.public:
            self.bad(path, line, f"<{name}> does not exist")
        elif house == "runtime" and self.public[name] == "actors":
            self.bad(path, line, f"runtime/ includes a header of actors/: <{name}>")
        elif house == "runtime" and room in HEIGHT:
            self.lower(path, line, room, self.room_of.get(name), f"<{name}>")

    def quoted(self, house, path, kind, room, line, name):
        target_room = name.split("/")[0]
        if kind == "public":
            self.bad(path, line, f'a public header includes a private one: "{name}"; public ones are <otter/...>')
        elif kind == "room":
            if "/" not in name:
                if not (path.parent / name).is_file():
                    self.bad(path, line, f'"{name}" is not in this room; write "room/file.hpp"')
            elif not (self.root / "runtime/src" / name).is_file():
                self.bad(path, line, f'"{name}" does not exist in runtime/src')
            else:
                self.lower(path, line, room, target_room, f'"{name}"')
        elif house in ("actors", "examples") and (self.root / "runtime/src" / name).is_file():
            self.bad(path, line, f'{house}/ includes a private header of the runtime: "{name}"')
        elif house == "examples" and (self.root / "actors/src" / name).is_file():
            self.bad(path, line, f'examples/ includes a private header of actors/: "{name}"')

    def lower(self, path, line, room, target, name):
        if target is None or target == room:
            return
        if target not in HEIGHT:
            self.bad(path, line, f"{name} is in no room that the order knows")
        elif HEIGHT[target] == HEIGHT[room]:
            self.bad(path, line, f"{room} includes {name} of its sibling {target}")
        elif HEIGHT[target] > HEIGHT[room]:
            self.bad(path, line, f"{room} includes {name} of {target}, which is above it")

    def names(self):
        for house in HOUSES + ("cmake", ".ci"):
            base = self.root / house
            for path in sorted(base.rglob("*")) if base.is_dir() else []:
                words = path.stem.lower().replace("-", "_").replace(".", "_").split("_")
                if EMPTY_NAMES & set(words):
                    self.bad(path, 1, "the name says nothing of what is inside")

    def unqualified_calls(self, path, text):
        found = {}  # name -> [offsets of calls], or None where the file declares the name itself
        for match in re.finditer(r"\b(" + "|".join(POSIX_NAMES) + r")[ \t]*\(", text):
            name, kind = match.group(1), self.kind_of_use(text, match.start(1))
            if kind == "declaration":
                found[name] = None
            elif kind == "call" and found.setdefault(name, []) is not None:
                found[name].append(match.start(1))
        for name, offsets in found.items():
            if re.search(rf"\b(?:class|struct)\s+{name}\b", text):
                continue  # constructors
            for offset in offsets or []:
                self.bad(path, line_of(text, offset),
                         f"unqualified {name}(...): write otter::{name}, this->{name} or ::{name}")

    @staticmethod
    def kind_of_use(text, start):
        """`void send(` is a declaration: it hides the C library's. `.send(` and `otter::send(` are neither."""
        before = text[:start].rstrip()
        line = text[text.rfind("\n", 0, start) + 1:start]
        if re.fullmatch(r"[A-Za-z_].*\w::", line) and not line.startswith(("return", "otter::")):
            return "declaration"  # `result socket::send(` at the left margin: a member is defined
        if before.endswith(("::", ".", "->", "~", "#define")):
            return "qualified"
        if word := re.search(r"[A-Za-z_]\w*$", before):
            return "call" if word.group(0) in {"return", "co_return", "co_await", "co_yield", "else", "do", "throw",
                                               "case", "and", "or", "not"} else "declaration"
        # The format writes `T&& send(` for a declaration and `a && send(` for a call.
        return "declaration" if re.search(r"(?:\S(?<!&)(?:&&|[>*&])|\]\])$", before) else "call"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent)
    problems = check(root.resolve()).run()
    for problem in problems:
        print(problem)
    count = len(sources(root, *HOUSES))
    if count == 0:
        print("include_direction: no sources found")
        return 2
    print(f"include_direction: {count} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
