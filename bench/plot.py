"""Plots of the results, drawn by gnuplot: SVG and PNG.

rows_1, rows_2, ...   bars per row and number of workers, on a log scale: median, least and most; the dotted line is
                      what the machine itself asks for
memory                the memory of idle processes against their number
workers               pings per second against the number of workers

(matplotlib would do, but Debian's cannot be installed beside libboost1.81-dev.)
"""
import math
import shutil
import subprocess

from rows import PEERS, PHYSICAL
from table import ORDER, word

COLOURS = {"otter": "1b6ca8", "bare": "222222", "caf": "b0504a", "erlang": "8a4fa3", "go": "3fa7a3", "boost_fiber": "c98b2d", "tokio": "666666"}
CURVES = {"idle_memory", "idle_cpu", "idle_wakeups"}  # not drawn as bars
COLUMNS = 3


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', "'").replace("_", "\\\\_") + '"'


def draw(folder, name, width, height, script):
    """The same script as SVG and as PNG."""
    for suffix, terminal in (("svg", "svg background 'white'"), ("png", "pngcairo")):
        head = [f"set terminal {terminal} size {width},{height} font ',9'", f"set output '{folder / name}.{suffix}'"]
        done = subprocess.run(["gnuplot"], input="\n".join([*head, *script, ""]), capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"gnuplot could not draw {name}.{suffix}: {done.stderr.strip()[-500:]}")


def who(line):
    names = ("form", "mailbox", "spin", "what", "active", "flood", "poller", "tls")
    return " ".join([line["peer"], *(w for w in (word(line["params"], n) for n in names) if w)])


def bars(lines, bench, cores):
    """One panel: a bar per line, the first at the top."""
    chosen = [l for l in lines if l["bench"] == bench and l["cores"] == cores and l["value"] > 0]
    chosen.sort(key=lambda l: (PEERS.index(l["peer"]), l["params"]))
    least = min(min(l["value"], l["min"] or l["value"]) for l in chosen)
    low = 10 ** math.floor(math.log10(min(least, PHYSICAL.get(bench, least)) * 0.8))
    most = max(l["max"] for l in chosen)
    high = most * 1.5 if most * 1.5 > 10 * low else 10 * low
    data = [f"{-i} {l['value']} {l['min'] or l['value']} {l['max']} 0x{COLOURS[l['peer']]} {quoted(who(l))}" for i, l in enumerate(chosen)]
    workers, unit = f"{cores} worker{'s' if cores > 1 else ''}", chosen[0]["unit"]
    out = ["$bars << EOD", *data, "EOD", "set title " + quoted(f"{bench}, {workers} ({unit})"),
           "set logscale x 10", f"set xrange [{low:g}:{high:g}]", f"set yrange [{-len(chosen) + 0.4}:0.6]", "unset arrow",
           f"set ytics font ',{9 if len(chosen) <= 10 else 6}'"]
    if bench in PHYSICAL:
        out.append(f"set arrow from first {PHYSICAL[bench]}, graph 0 to first {PHYSICAL[bench]}, graph 1 nohead front dashtype 3 lw 1.5 lc rgb 'black'")
    out.append(f"plot $bars using 2:1:({low:g}):2:($1-0.38):($1+0.38):5:ytic(6) with boxxyerror fill solid 0.8 noborder lc rgb variable notitle, "
               "$bars using 2:1:3:4 with xerrorbars pt 0 lc rgb 'black' notitle")
    return out


def rows(lines, folder):
    benches = [b for b in ORDER if b not in CURVES and any(l["bench"] == b and l["value"] > 0 for l in lines)]
    for cores in sorted({l["cores"] for l in lines}):
        shown = [b for b in benches if any(l["bench"] == b and l["cores"] == cores and l["value"] > 0 for l in lines)]
        if not shown:
            continue
        down = (len(shown) + COLUMNS - 1) // COLUMNS
        script = ["set multiplot layout %d,%d title 'median, least to most; the dotted line is what the machine itself asks for'" % (down, COLUMNS),
                  "set lmargin 22", "set rmargin 3", "set grid xtics", "set tics nomirror", "set format x '%g'"]
        for bench in shown:
            script += bars(lines, bench, cores)
        draw(folder, f"rows_{cores}", 520 * COLUMNS, 60 + 220 * down, [*script, "unset multiplot"])


def curves(lines, folder, name, title, x_label, y_label, point):
    """A line per runtime and form; point(line) is (x, y)."""
    groups = {}
    for line in lines:
        groups.setdefault(who(line), []).append((*point(line), line["peer"]))
    if not any(len(points) > 1 for points in groups.values()):
        return  # a single point is no curve
    script = ["set title " + quoted(title), "set xlabel " + quoted(x_label), "set ylabel " + quoted(y_label), "set key left top",
              "set grid", "set logscale xy 10", "set format xy '%g'"]
    plots = []
    for i, (label, points) in enumerate(groups.items()):
        script += [f"$curve{i} << EOD", *(f"{x:g} {y:g}" for x, y, _ in sorted(points)), "EOD"]
        dash = "" if "free" not in label else " dashtype 2"
        plots.append(f"$curve{i} using 1:2 with linespoints pt 7 ps 0.6 lw 2{dash} lc rgb '#{COLOURS[points[0][2]]}' title {quoted(label)}")
    draw(folder, name, 900, 600, [*script, "plot " + ", ".join(plots)])


def all_plots(lines, folder):
    """False when there is no gnuplot."""
    if shutil.which("gnuplot") is None:
        return False
    rows(lines, folder)
    curves([l for l in lines if l["bench"] == "idle_memory" and l["value"] > 0], folder, "memory",
           "memory of processes that wait", "processes", "resident memory, MB",
           lambda l: (float(word(l["params"], "n")), l["value"]))
    curves([l for l in lines if l["bench"] == "all_to_all" and l["value"] > 0], folder, "workers",
           "120 processes, each with a request under way to another", "workers", "million pings per second",
           lambda l: (l["cores"], 1e3 / l["value"]))
    return True
