"""The table and the plot of ./dev million: million.json, million.md, million.svg and million.png."""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import plot

# Published in 2012: one node of 24 logical CPUs and 100 GB held 2.8 million, 38,800 for each GB in use.
THEN = {"connections": 2_800_000, "per_gb": 38_800, "per_core": 2_800_000 / 24}
GOALS = {"bytes": 5_100, "rate": 30_000}
COLOURS = {"otter": "1b6ca8", "raw": "666666"}


def bytes_of(n):
    return f"{n:,.0f} B"


def figures(results, about):
    """The rows: (what, 2012, one for each result)."""
    def each(show):
        return [show(r) for r in results]

    def per_gb(r):  # of a few connections the noise of the machine may be more than their memory
        return f"{r['connections'] / (r['memory'] / 1e9):,.0f}" if r["memory"] > 0 else ""

    def of_cpu(seconds, r):
        return f"{1e6 * seconds / max(r['accepted'], 1):.1f} us"

    yield "connections, established and accepted", f"{THEN['connections']:,}", each(lambda r: f"{r['connections']:,}")
    yield "of a sample, echoes that came back", "", each(lambda r: f"{r['answered']:,} of {r['echoes']:,}")
    yield "memory, by the fall of MemFree", "", each(lambda r: f"{r['memory'] / 1e9:.2f} GB")
    yield "for each connection", bytes_of(1e9 / THEN["per_gb"]), each(lambda r: bytes_of(r["bytes"]))
    yield "of that the kernel", "", each(lambda r: bytes_of(r["kernel_bytes"]))
    yield "(by the growth of its slabs)", "", each(lambda r: bytes_of(r["slab_bytes"]))
    yield "of that the server's process", "", each(lambda r: bytes_of(r["user_bytes"]))
    yield "connections per GB in use", f"{THEN['per_gb']:,}", each(per_gb)
    yield "connections per logical CPU", f"{THEN['per_core']:,.0f}", each(lambda r: f"{r['connections'] / about['cores']:,.0f}")
    yield "set up", "", each(lambda r: f"{r['rate']:,.0f}/s in {r['seconds']:.1f} s")
    yield "processor time of the server, for each set-up", "", each(lambda r: of_cpu(r["server_cpu"], r))
    yield "of the clients, with the kernel's TCP", "", each(lambda r: of_cpu(r["client_cpu"], r))
    yield "processor of the idle server", "", each(lambda r: f"{100 * r['idle_cpu']:.1f} %" if "idle_cpu" in r else "")
    yield "all ended after a reset", "", each(lambda r: f"{r['end_seconds']:.1f} s")
    yield "the clients' own memory, not counted", "", each(lambda r: f"{r['client_memory'] / 1e6:.0f} MB")


def title(result):
    return {"otter": "otter, one process each", "raw": "a bare io_uring loop"}[result["server"]] + \
        (", with a timer" if result["timer"] else "") + ("" if result["direct"] else ", with descriptors")


def markdown(results, about):
    lines = [f"Connections held by one OS process on {about['cpu']}, {about['cores']} logical CPUs, {about['memory_gb']} GB, Linux {about['kernel']}; "
             f"otter {about['otter']}, {about['time']}.", "",
             "| | " + " | ".join(["2012 (100 GB, 24 logical CPUs)", *map(title, results)]) + " |", "|---|" + "---|" * (1 + len(results))]
    lines += ["| " + " | ".join([what, then, *each]) + " |" for what, then, each in figures(results, about)]
    lines.append("")
    for r in results:
        if r["stopped"]:
            lines.append(f"{title(r)}: stopped before {r['asked']:,}: {r['stopped']}.")
    for r in results:
        if disturbed(r):
            lines.append(f"{title(r)}: MemFree fell by {r['memory'] / 1e9:.2f} GB, where slabs and process grew by {known(r) / 1e9:.2f}: others took or gave back "
                         "memory meanwhile. Measure again on a quiet machine.")
    otter = next((r for r in results if r["server"] == "otter"), None)
    raw = next((r for r in results if r["server"] == "raw"), None)
    if otter and otter["clients"] == "tun":
        memory = "not judged" if disturbed(otter) else yes(otter["bytes"] <= GOALS["bytes"])
        lines.append(f"Goals: {GOALS['bytes']:,} bytes a connection, {memory}; set-up at {GOALS['rate']:,}/s, {yes(otter['rate'] >= GOALS['rate'])}"
                     + (f", or at 0.9 of a bare loop's: {otter['rate'] / raw['rate']:.2f}." if raw and raw["rate"] else "."))
    elif otter:
        lines.append("Clients by sockets take up as much of the kernel's memory as the server's ends: both are counted above.")
    return "\n".join(lines) + "\n"


def known(r):
    """What must have gone: rings and page tables are not in it, a few per cent."""
    return r["slab"] + r["user"]


def disturbed(r):
    return abs(r["memory"] - known(r)) > 0.1 * known(r)


def yes(reached):
    return "reached" if reached else "NOT reached"


def curves(results, folder):
    script = ["set title 'memory of established connections: the fall of MemFree, and of that the process'", "set xlabel 'connections, thousands'",
              "set ylabel 'GB'", "set key left top", "set grid", "set yrange [0:*]"]
    plots = []
    for r in results:
        name = f"$s{len(plots)}"
        points = [f"{n / 1e3} {fall / 1e9:.6g} {user / 1e9:.6g}" for n, fall, user in r["samples"]]
        script += [f"{name} << EOD", *points, "EOD"]
        colour = COLOURS[r["server"]]
        plots += [f"{name} using 1:2 with lines lw 2 lc rgb '#{colour}' title {plot.quoted(title(r))}",
                  f"{name} using 1:3 with lines lw 2 dashtype 2 lc rgb '#{colour}' title 'of that the process'"]
    plots.append(f"1e3 * x / {THEN['per_gb']} with lines dashtype 3 lw 2 lc rgb '#b0504a' title '2012'")
    plot.draw(folder, "million", 900, 600, [*script, "plot " + ", ".join(plots)])


def write(folder, results, about, can_plot):
    """Writes all of it and gives the table."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "million.json").write_text(json.dumps({"machine": about, "results": results}) + "\n")
    text = markdown(results, about)
    (folder / "million.md").write_text(text)
    if can_plot:
        curves(results, folder)
    return text
