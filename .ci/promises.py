#!/usr/bin/env python3
"""promises.py [ROOT]: what tests/PROMISES.md names exists, and every test of the runtime's rules is in it.

A cell of the ledger names tests as `folder/file_test "first sentence", "second"; other/file_test (tag X-1)`, in
folders below tests/runtime, or tests/ for actors, chat, stress and simulation. A sentence that ends in "..." or
begins with it is a part of one. Every rule that a test cites must stand in some line of the ledger.
"""
import pathlib
import re
import sys

ELSEWHERE = ("actors", "chat", "stress", "simulation", "house", "consumer", "refused", "support")
CASE = re.compile(r'^(?:TEST_CASE|SCENARIO)\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)(?:,\s*((?:"[^"]*"\s*)+))?\)', re.M)
RULE = re.compile(r"[A-Z][A-Z0-9]*-\d+[a-z]?")


def joined(literals):
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literals)).replace('\\"', '"')


def cases_of(path):
    """[(sentence, rules)] of a file of tests; in a script of the chat clients the sentences are docstrings."""
    text = path.read_text()
    if path.suffix == ".py":
        return [(d.strip(), set()) for d in re.findall(r'def test_\w+\([^)]*\):\s*"""(.*?)"""', text, re.S)]
    return [(joined(m.group(1)), set(re.findall(r"\[(" + RULE.pattern + r")\]", m.group(2) or "")))
            for m in CASE.finditer(text)]


def file_of(tests, name):
    base = tests if name.split("/")[0] in ELSEWHERE else tests / "runtime"
    for ending in (".cpp", ".py", ""):
        path = base / (name + ending)
        if path.is_file():
            return path
    return None


def named_in(cell):
    """[(file, [sentences])] of one cell."""
    found = []
    for m in re.finditer(r'\b([a-z_]+(?:/[a-z_0-9]+)+)|"([^"]*)"', cell):
        if m.group(1):
            found.append((m.group(1), []))
        elif found:
            found[-1][1].append(m.group(2))
    return found


def matches(part, sentence):
    words = part.removeprefix("...").removesuffix("...").strip()
    if part.startswith("..."):
        return words in sentence
    return sentence.startswith(words) if part.endswith("...") else sentence == words


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent)
    tests = root / "tests"
    ledger = tests / "PROMISES.md"
    if not ledger.is_file():
        print("promises: absent: no tests/PROMISES.md")
        return 3
    problems = named = 0
    listed = set()
    for number, line in enumerate(ledger.read_text().splitlines(), 1):
        if "no test:" in line.lower():
            listed |= set(RULE.findall(line))
        if not line.startswith("| ") or line.startswith("| Promise"):
            continue
        cells = [c.strip() for c in line.strip().strip("|").split(" | ")]
        for rules in cells[1:-1]:
            listed |= set(RULE.findall(rules))
            for first, last in re.findall(r"(" + RULE.pattern + r") to (" + RULE.pattern + r")", rules):
                group = first.split("-")[0]
                a, b = (int(re.sub(r"\D", "", x.split("-")[1])) for x in (first, last))
                listed |= {f"{group}-{n}" for n in range(a, b + 1)}
        for name, sentences in named_in(cells[-1]):
            path = file_of(tests, name)
            if path is None:
                if name.split("/")[-1].endswith("_test"):
                    print(f"PROMISES.md:{number}: there is no {name}")
                    problems += 1
                continue
            known = [s for s, _ in cases_of(path)]
            for part in sentences:
                named += 1
                if not any(matches(part, s) for s in known):
                    print(f'PROMISES.md:{number}: {name} has no test "{part}"')
                    problems += 1
    for path in sorted(tests.rglob("*_test.cpp")):
        for sentence, rules in cases_of(path):
            for rule in sorted(rules - listed):
                print(f'{path.relative_to(root)}: "{sentence}" cites {rule}, which PROMISES.md does not name')
                problems += 1
    if named == 0:
        print("promises: no test is named")
        return 2
    print(f"promises: {named} tests named, {problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
