#!/usr/bin/env python3
"""global_state.py [LIBRARY...]: what exists once in an OS process is what runtime/doc/node.md lists, and no more.

Several nodes may live in one OS process, so a variable that they would share is a decision, never an accident. The
writable variables of otter's static libraries are read from their object files; each must fall under one of the
rows below, whose words stand in the table of node.md. Without a LIBRARY, otter is installed and its are taken.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "runtime/doc/node.md"
ANONYMOUS = r"\(anonymous namespace\)::"
RTS = r"otter::rts::(?:" + ANONYMOUS + ")?"

# (what the variables are called, words of the row that says why they are one for all)
ROWS = [
    (RTS + r"(?:places|mutex)", "the directory that hands out node numbers"),
    (RTS + r"(?:this_worker|this_loop|foreign)", "the thread-locals \"who runs here\""),
    (RTS + r"(?:root|free_slabs|mutex)", "the table from addresses to stacks"),
    (RTS + r"protections_left\(\)::left", "the budget of `mprotect` guards"),
    (RTS + r"(?:place|found_before|installed|install_mutex|report_descriptor|current_describer)",
     "the handlers of signals"),
    (RTS + r"(?:earlier|entered|install_terminate_handler\(\)::one_at_a_time)", "the terminate handler"),
    (RTS + r"scheduler::~scheduler\(\)::(?:kept|mutex)", "the list of schedulers whose threads were left behind"),
    (r"otter::detail::" + ANONYMOUS + r"payloads\(\)::list", "the list of exit reasons with a payload"),
    (r"otter::detail::(?:module_mark|object_mark<.*>)", "the type descriptors"),
    (r"otter::detail::(?:" + ANONYMOUS + r"readers|running_tables<.*>::instance\(\)::tables)", "the tables of registries"),
    (r"otter::detail::" + ANONYMOUS + "in_user_code", "a filter of the log runs here"),
    (RTS + r"(?:wait_for_events\(.*\)::missing|asymmetric::kernel_helps|best_guard\(\)::best|guard_size\(\)::size)",
     "what the kernel can do"),
    (RTS + "at_suspension", "the check of mutexes"),
    # Never written after they were made.
    (r"otter::(?:detail::exit_detail::undescribed\(\)::only|(?:tcp|tls)_category\(\)::category|proxy_framer\(\)::one"
     r"|rts::" + ANONYMOUS + r"stream_method\(\)::only|detail::process_table::held.*::none.*)", "Constants"),
]
# The compiler's and the standard library's.
OTHERS = re.compile(r"DW\.ref\..*|guard variable for .*|std::.*|vtable for .*|typeinfo for .*|__.*")
SYMBOL = re.compile(r"^[0-9a-f]+ (.{7}) (\.(?:data|bss|tdata|tbss)\S*)\t[0-9a-f]+ +(?:\.(?:hidden|protected|internal) )?(\S+)$")


def variables(library):
    listed = subprocess.run(["objdump", "-t", str(library)], capture_output=True, text=True, check=True).stdout
    names = set()
    for line in listed.splitlines():
        m = SYMBOL.match(line)
        if m and not m.group(2).startswith(".data.rel.ro") and m.group(2) != m.group(3):  # else it is a section
            names.add(re.sub(r"\.\d+$", "", m.group(3)))
    names = sorted(names)
    shown = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout
    return sorted(set(re.sub(r"\[abi:\w+\]", "", n) for n in shown.splitlines()))


def installed():
    prefix = ROOT / "build/checks/global_state/prefix"
    subprocess.run([str(ROOT / "dev"), "install", "--prefix", str(prefix)], check=True, stdout=subprocess.DEVNULL)
    return sorted(prefix.rglob("libotter_*.a"))


def main():
    libraries = [pathlib.Path(a) for a in sys.argv[1:]] or installed()
    page = PAGE.read_text() if PAGE.is_file() else ""
    problems = found = 0
    for words in sorted({w for _, w in ROWS if w not in page}):
        print(f"node.md has no row with the words '{words}'")
        problems += 1
    for library in libraries:
        for name in variables(library):
            if OTHERS.fullmatch(name):
                continue
            found += 1
            if not any(re.fullmatch(pattern, name) for pattern, _ in ROWS):
                print(f"{library.name}: {name} exists once for all nodes, and no row of node.md says why")
                problems += 1
    if found == 0:
        print("global_state: no variable was found, which cannot be")
        return 2
    print(f"global_state: {found} variables in {len(libraries)} libraries, {problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
