"""The results as a table for people, and what has changed since earlier ones."""
import json

from rows import GOALS, GOALS_ALONE, GOALS_ALONE_FREE, GOALS_BARE, GOALS_BARE_TLS, GOALS_MAILBOX, NEVER_SLOWER_ON_TWO, PEERS, ROWS

LARGER_IS_BETTER = {name for row in ROWS for name in row.larger}
ORDER = [name for row in ROWS for name in row.gives]


def word(params, name):
    return next((w.split("=", 1)[1] for w in params.split() if w.startswith(name + "=")), "")


def compared_with(line):
    """Lines with the same key answer the same question."""
    mailbox = word(line["params"], "mailbox") if line["bench"] == "many_to_one" else ""
    kind = "" if mailbox == "" else "unbounded" if mailbox == "unbounded" else "bounded"
    spin = "none" if word(line["params"], "spin") == "none" else "busy" if word(line["params"], "spin") else ""
    size = word(line["params"], "n") if line["bench"] == "idle_memory" else ""  # a curve: point against point
    network = word(line["params"], "flood") or word(line["params"], "tls") and "tls " + word(line["params"], "tls")
    return line["bench"], line["cores"], kind or network, spin, size


def bare_goals(line):
    return GOALS_BARE_TLS if word(line["params"], "tls") else GOALS_BARE


def best_peer(lines, line):
    """The peer with the best figure; where the goal is a ratio to the bare loop, that one."""
    rivals = [l for l in lines if l["peer"] != "otter" and (l["peer"] == "bare") == (line["bench"] in bare_goals(line))
              and compared_with(l) == compared_with(line)]
    pick = max if line["bench"] in LARGER_IS_BETTER else min
    return pick(rivals, key=lambda l: l["value"], default=None)


def number(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def goal_alone(line):
    """A goal that asks for no peer: "<= 400 yes", or nothing."""
    free = word(line["params"], "form") == "free"
    goal = (GOALS_ALONE_FREE if free else GOALS_ALONE).get((line["bench"], word(line["params"], "spin")))
    if goal is None:
        return ""
    found = line["max"] if line["bench"] == "fairness_max" else line["value"]
    return f"<= {goal:,} {line['unit']} {'yes' if found <= goal else 'NO'}"


def verdict(line, best):
    if best is None or best["value"] == 0:
        return "", goal_alone(line)
    ratio = line["value"] / best["value"]
    goal = bare_goals(line).get(line["bench"]) or GOALS.get(line["bench"])
    if line["bench"] == "many_to_one":
        goal = GOALS_MAILBOX[compared_with(line)[2]]
    if goal is None:
        return f"{ratio:.2f}", goal_alone(line)
    larger = line["bench"] in LARGER_IS_BETTER
    if word(line["params"], "form") == "free":
        goal = goal / 1.6 if larger else goal * 1.6
    reached = ratio >= goal if larger else ratio <= goal
    return f"{ratio:.2f}", f"{'>=' if larger else '<='} {goal:.2g} {'yes' if reached else 'NO'}"


def markdown(lines, about):
    out = [f"otter {about.get('otter')} and its peers, measured {about.get('time')}.", "",
           f"Machine: {about.get('cpu')}, {about.get('cores')} cores, {about.get('memory_gb')} GB, Linux {about.get('kernel')}; "
           f"load average at the start {about.get('load'):.1f}. {about.get('compiler')}. " +
           ", ".join(f"{p} {about[p]}" for p in PEERS[1:] if about.get(p)) + ".", "",
           "Medians, with least and most. Ratio: otter to the best peer that answers the same question; goal: for that ratio.",
           "", "| row | cores | who | median | least to most | runs | memory | best peer | ratio | goal |",
           "|---|---|---|---|---|---|---|---|---|---|"]
    known = {name: i for i, name in enumerate(ORDER)}
    for line in sorted(lines, key=lambda l: (known.get(l["bench"], 99), l["cores"], PEERS.index(l["peer"]))):
        best = best_peer(lines, line) if line["peer"] == "otter" else None
        ratio, goal = verdict(line, best) if line["peer"] == "otter" else ("", "")
        hidden = ("tokens=", "seconds=") if line["bench"] == "idle_memory" else ("n=", "tokens=", "seconds=")
        variant = " ".join(w for w in line["params"].split() if not w.startswith(hidden))
        out.append(f"| {line['bench']} | {line['cores']} | {line['peer']} {variant} | {number(line['value'])} {line['unit']} | "
                   f"{number(line['min'])} to {number(line['max'])} | {line['runs']} | "
                   f"{str(round(line['peak_mb'])) + ' MB' if 'peak_mb' in line else ''} | {best['peer'] if best else ''} | {ratio} | {goal} |")
    out += two_workers(lines) + every_run(lines)
    for peer, why in (about.get("absent") or {}).items():
        out.append(f"\nAbsent: {peer}: {why}")
    for p in about.get("problems") or []:
        out.append(f"\nCut: {p['row']} {p['peer']} {p['params']} on {p['cores']}: {p['problem']}")
    return "\n".join(out) + "\n"


def summary(lines, about):
    """The table of README.md: otter's two forms beside the best peer. A figure is `value (ratio)`, bold where the goal is met."""
    def cell(line, best):
        if line is None:
            return ""
        ratio, goal = verdict(line, best)
        text = f"{number(line['value'])} {line['unit']}" + (f" ({ratio})" if ratio else "")
        return f"**{text}**" if goal.endswith("yes") else text

    questions = {}
    for line in lines:
        if line["bench"] != "idle_memory" and compared_with(line)[3] != "none":
            questions.setdefault(compared_with(line) + (alone_of(line),), []).append(line)
    known = {name: i for i, name in enumerate(ORDER)}
    out = [f"Medians of {about.get('time')} on {about.get('cpu')}, {about.get('cores')} cores, {about.get('memory_gb')} GB; in brackets "
           "the ratio to the best peer of the same run; bold where the goal is met.", "",
           "| row | workers | otter, behaviour | otter, function | best peer | goal |", "|---|---|---|---|---|---|"]
    for key in sorted(questions, key=lambda k: (known.get(k[0], 99), k[1], k[2:])):
        mine = [l for l in questions[key] if l["peer"] == "otter"]
        if not mine:
            continue
        best = best_peer(lines, mine[0])
        free = next((l for l in mine if word(l["params"], "form") == "free"), None)
        behaviour = next((l for l in mine if l is not free), None)
        goal = (verdict(behaviour or free, best)[1] or "").removesuffix(" yes").removesuffix(" NO")
        name = " ".join([key[0], *(w for w in (key[2], key[5]) if w)])
        out.append(f"| {name} | {key[1]} | {cell(behaviour, best)} | {cell(free, best)} | "
                   f"{best['peer'] + ' ' + number(best['value']) + ' ' + best['unit'] if best else ''} | {goal} |")
    return "\n".join(out) + "\n"


def alone_of(line):
    """What sets two of otter's own lines apart that no peer is compared with."""
    spin = word(line["params"], "spin")
    siblings = word(line["params"], "siblings")
    what = word(line["params"], "what")
    return "checkpoint" if spin == "checkpoint" else f"of {siblings}" if siblings else what


def two_workers(lines):
    """What a second worker does to the rows that one process could feed alone."""
    out = []
    for line in lines:
        if line["peer"] != "otter" or line["cores"] != 2 or line["bench"] not in NEVER_SLOWER_ON_TWO:
            continue
        one = next((l for l in lines if l["cores"] == 1 and
                    (l["bench"], l["peer"], l["params"]) == (line["bench"], "otter", line["params"])), None)
        if one is None or one["value"] == 0:
            continue
        ratio = line["value"] / one["value"]
        out.append(f"| {line['bench']} | {word(line['params'], 'form')} | {number(one['value'])} {one['unit']} | "
                   f"{number(line['value'])} {line['unit']} | {ratio:.2f} | <= 1 {'yes' if ratio <= 1 else 'NO'} |")
    return ["", "| row | form | 1 worker | 2 workers | ratio | goal |", "|---|---|---|---|---|---|", *out] if out else []


def every_run(lines):
    """Fairness is about the worst that is seen: every run is shown."""
    out = [f"| {l['cores']} | {l['peer']} {' '.join(w for w in l['params'].split() if '=' in w and not w.startswith('seconds'))} | "
           f"{l['bench'].removeprefix('fairness_')} | {', '.join(number(v) for v in l['all'])} |"
           for l in lines if l["bench"] in ("fairness_p99", "fairness_max") and "all" in l]
    return ["", "Fairness, every run (us):", "", "| cores | who | figure | runs |", "|---|---|---|---|", *out] if out else []


def compare(old_file, lines):
    """Ratios new to old. Slower by more than noise: the ranges do not overlap and the ratio is beyond 3 %."""
    old = {}
    for text in old_file.read_text().splitlines():
        if text.strip():
            line = json.loads(text)
            old[line["bench"], line["peer"], line["params"], line["cores"]] = line
    out = [f"against {old_file}: new / old, with the range that least and most allow"]
    for line in lines:
        before = old.get((line["bench"], line["peer"], line["params"], line["cores"]))
        if before is None or before["value"] == 0:
            continue
        ratio = line["value"] / before["value"]
        low = line["min"] / before["max"] if before["max"] else float("inf")
        high = line["max"] / before["min"] if before["min"] else float("inf")
        larger = line["bench"] in LARGER_IS_BETTER
        apart = low > 1 or high < 1
        worse, better = (ratio < 0.97, ratio > 1.03) if larger else (ratio > 1.03, ratio < 0.97)
        mark = "SLOWER" if apart and worse else "better" if apart and better else ""
        out.append(f"{line['bench']:20} {line['cores']} {line['peer']:11} {ratio:6.2f}  ({low:.2f} to {high:.2f})  {mark:7}{line['params']}")
    return "\n".join(out)
