#!/usr/bin/env python3
"""readme_blocks.py [--prefix DIR] [PAGE...]: the C++ in our pages compiles, and prints what they say.

Every ```cpp block of README.md and of the pages in actors/doc and runtime/doc is compiled against an
installed otter, as a reader would do it.

- A block with main() is a complete program: it is linked and run, and when the next block of the page is an
  output block (``` or ```text or ```output) before any other text block, its standard output must be that.
- Any other block is a fragment. It sees every public header and the fragments before it on the same page,
  and is tried as declarations, then as statements in a function.
- `<!-- not compiled: REASON -->` on the line before a block leaves it out, and the run says so;
  `<!-- alone -->` hides the fragments before it.
"""
import argparse
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent
FLAGS = ["-std=c++20", "-Wall", "-Wextra", "-Wno-unused"]
FENCE = re.compile(r"^(`{3,})[ \t]*([\w+-]*)[^\n]*\n(.*?)^\1[ \t]*$", re.S | re.M)


class block:
    def __init__(self, page, line, text):
        self.where = f"{page}:{line}"
        self.text = text
        self.program = re.search(r"\bint\s+main\s*\(", text) is not None
        self.expected = None
        self.skip = None
        self.alone = False


def blocks_of(path, name):
    text = path.read_text()
    found, previous_end, program = [], 0, None
    for match in FENCE.finditer(text):
        language, body = match.group(2), match.group(3)
        before = text[previous_end:match.start()]
        if language in ("cpp", "c++"):
            b = block(name, text.count("\n", 0, match.start()) + 1, body)
            if m := re.search(r"<!--\s*not compiled:\s*(.+?)\s*-->\s*$", before):
                b.skip = m.group(1)
            b.alone = re.search(r"<!--\s*alone\s*-->\s*$", before) is not None
            found.append(b)
            program = b if b.program else None
        else:
            # Output is only the block that follows the program next, with no heading between.
            if program and language in ("", "text", "output") and not re.search(r"^#", before, re.M):
                program.expected = body
            program = None
        previous_end = match.end()
    return found


class compiler:
    def __init__(self, prefix, work):
        self.work = pathlib.Path(work)
        self.prefix = prefix
        self.headers = sorted(
            p.relative_to(prefix / "include").as_posix() for p in (prefix / "include/otter").glob("*.hpp"))
        pc = next(prefix.rglob("otter-runtime.pc")).parent
        package = "otter-actors" if (pc / "otter-actors.pc").exists() else "otter-runtime"
        environment = dict(os.environ, PKG_CONFIG_PATH=str(pc))
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", package], env=environment, check=True,
                               capture_output=True, text=True).stdout
        words = shlex.split(flags)
        self.cflags = [w for w in words if w.startswith(("-I", "-D"))]
        self.libs = [w for w in words if not w.startswith(("-I", "-D"))]
        # What a fragment sees is the same for all of them, and read once.
        self.head = self.work / "head.hpp"
        self.head.write_text("".join(f"#include <{h}>\n" for h in self.headers) + "#include <chrono>\n#include <cstdio>\n"
                             "#include <string>\n#include <vector>\nusing namespace std::chrono_literals;\n")

    def read_the_headers(self):
        """Before the first fragment()."""
        subprocess.run(["g++", *FLAGS, *self.cflags, "-x", "c++-header", str(self.head), "-o", f"{self.head}.gch"], check=True)

    def compile(self, name, text, link=False):
        source, target = self.work / f"{name}.cpp", self.work / name
        source.write_text(text)
        command = ["g++", *FLAGS, *self.cflags]
        if link:
            command += [str(source), "-o", str(target), *self.libs]
        else:
            command += ["-include", str(self.head), "-fsyntax-only", str(source)]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode == 0, done.stderr, target

    def program(self, name, b):
        ok, errors, target = self.compile(name, b.text, link=True)
        if not ok:
            return f"does not compile:\n{short(errors)}"
        try:
            done = subprocess.run([str(target)], capture_output=True, text=True, timeout=60)
        except subprocess.TimeoutExpired:
            return "still runs after 60 s"
        if done.returncode != 0:
            return f"ended with {done.returncode}:\n{short(done.stderr)}"
        if b.expected is not None and done.stdout.rstrip() != b.expected.rstrip():
            return f"printed\n{done.stdout}but the page says\n{b.expected}"
        return None

    def fragment(self, name, b, earlier):
        includes = "".join(re.findall(r"^[ \t]*#include[^\n]*\n", b.text, re.M))
        body = re.sub(r"^[ \t]*#include[^\n]*\n", "", b.text, flags=re.M)
        context = "" if b.alone else "\n".join(earlier)
        as_declarations = f"{includes}{context}\n{body}"
        ok, errors, _ = self.compile(name + "_declarations", as_declarations)
        if ok:
            earlier.append(includes + body)
            return None
        as_statements = f"{includes}{context}\nvoid fragment_of_a_page() {{\n{body}\n}}\n"
        ok, more, _ = self.compile(name + "_statements", as_statements)
        if ok:
            return None
        return f"does not compile as declarations:\n{short(errors)}\nnor as statements:\n{short(more)}"


def short(text, lines=8):
    kept = [line for line in text.splitlines() if "error" in line or "warning" in line] or text.splitlines()
    return "\n".join("    " + line for line in kept[:lines])


def default_pages():
    pages = [ROOT / "README.md"]
    for house in ("runtime", "actors"):
        pages += sorted((ROOT / house / "doc").glob("*.md"))
    return [p for p in pages if p.is_file()]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--prefix", type=pathlib.Path)
    arguments.add_argument("pages", nargs="*", type=pathlib.Path)
    options = arguments.parse_args()
    pages = options.pages or default_pages()
    per_page = {}
    for path in pages:
        name = path.relative_to(ROOT).as_posix() if path.resolve().is_relative_to(ROOT) else str(path)
        per_page[name] = blocks_of(path, name)
    if not any(per_page.values()):
        print(f"readme_blocks: absent: no C++ block in {', '.join(per_page) or 'README.md'}")
        return 3  # nothing to check is not a success
    if options.prefix is None:
        options.prefix = ROOT / "build/checks/readme_blocks/prefix"
        subprocess.run([str(ROOT / "dev"), "install", "--prefix", str(options.prefix)], check=True,
                       stdout=subprocess.DEVNULL)

    passed = failed = 0
    with tempfile.TemporaryDirectory() as work, ThreadPoolExecutor(os.cpu_count()) as pool:
        cxx = compiler(options.prefix.resolve(), work)

        # Programs need nothing of other blocks nor the headers read for fragments, so they are first; the fragments of
        # a page come one after the other, the pages with most of them first.
        headers = pool.submit(cxx.read_the_headers)
        problems = {b: pool.submit(cxx.program, f"page{index}_block{number}", b)
                    for index, blocks in enumerate(per_page.values())
                    for number, b in enumerate(blocks) if b.program and not b.skip}

        def fragments(index, blocks):
            earlier = []
            headers.result()
            return {b: cxx.fragment(f"page{index}_block{number}", b, earlier)
                    for number, b in enumerate(blocks) if not b.program and not b.skip}

        pages = sorted(enumerate(per_page.values()), key=lambda page: -len(page[1]))
        of_fragments = [pool.submit(fragments, index, blocks) for index, blocks in pages]
        problems = {b: done.result() for b, done in problems.items()}
        for done in of_fragments:
            problems.update(done.result())
        for blocks in per_page.values():
            for b in blocks:
                problem = problems.get(b)
                if b.skip:
                    print(f"{b.where}: not compiled: {b.skip}")
                elif problem:
                    print(f"{b.where}: {problem}")
                    failed += 1
                else:
                    passed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
