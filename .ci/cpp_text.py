"""What the checks share: which files are ours, and C++ text without what is not code."""
import pathlib
import re

HOUSES = ("runtime", "actors", "examples", "bench", "tests")
SUFFIXES = {".cpp", ".hpp", ".h", ".ipp"}


def sources(root, *folders):
    """Every C++ file below the named folders of `root`, sorted."""
    found = []
    for folder in folders:
        base = pathlib.Path(root) / folder
        if base.is_dir():
            found += [p for p in base.rglob("*") if p.suffix in SUFFIXES and p.is_file()]
    return sorted(found)


_NOT_CODE = re.compile(
    r"""//[^\n]*
      | /\*.*?\*/
      | (?:u8|[uUL])?R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)"
      | (?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'
      | (?P<include>^[ \t]*\#[ \t]*include[^\n]*)
      | "(?:\\.|[^"\\\n])*"
    """, re.S | re.X | re.M)


def code_only(text):
    """`text` with comments, strings and characters blanked; lines and columns stay where they are."""
    def blank(match):
        if match.group("include"):
            return match.group(0)
        return re.sub(r"[^\n]", " ", match.group(0))
    return _NOT_CODE.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1
