"""From the load tool's answers to medians, ratios and the two forms of the table: for the terminal and for the docs."""

import os
import platform
import re
import statistics
import subprocess


def median(answers, name):
    found = [answer[name] for answer in answers if name in answer]
    return statistics.median(found) if found else None


def ratio(a, b):
    return a / b if a is not None and b else None


def shown(value, digits=None):
    if value is None:
        return "–"
    if digits is not None:
        return f"{value:.{digits}f}"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" if value < 100 else f"{value:.0f}"


class Row:
    """One workload's medians over all rounds, by peer."""

    def __init__(self, workload, answers):
        self.workload = workload
        self.answers = answers
        self.figures = {peer: median(list_, workload.figure) for peer, list_ in answers.items()}
        self.rates = {peer: median(list_, "rate") for peer, list_ in answers.items()}
        self.p50 = {peer: median(list_, "p50_ms") for peer, list_ in answers.items()}
        self.p99 = {peer: median(list_, "p99_ms") for peer, list_ in answers.items()}
        self.spread = {peer: (min(one[workload.figure] for one in list_), max(one[workload.figure] for one in list_))
                       for peer, list_ in answers.items() if list_}

    def of(self, peer):
        """`peer`, where "gatepost" is whichever Gatepost the row is about, and "less" the one that it is measured beyond."""
        return {"gatepost": self.workload.ours, "less": self.workload.less}.get(peer, peer)

    def to(self, peer):
        return ratio(self.figures.get(self.of("gatepost")), self.figures.get(peer))

    def rate_to(self, peer):
        return ratio(self.rates.get(self.of("gatepost")), self.rates.get(peer))

    def beyond(self):
        """Gatepost's figure, less that of the peer which it is measured beyond: the median over the pairs of each round."""
        own, less = (self.answers.get(self.of(peer), []) for peer in ("gatepost", "less"))
        if not self.workload.less:
            return self.figures.get(self.of("gatepost"))
        pairs = [one[self.workload.figure] - other[self.workload.figure] for one, other in zip(own, less)]
        return statistics.median(pairs) if pairs else None

    def checks(self):
        """What is asked and what was measured: [(limit, figure, what the figure is, held, or None when not measured)]."""
        work, found = self.workload, []

        def add(value, digits, limit, what, held):
            is_held = None if value is None else held(value)
            if is_held is False and shown(value, digits) in limit:
                digits += 2  # "1.10, at most 1.10" would not tell what is wrong
            found.append((limit, shown(value, digits), what, is_held))

        if work.target:
            add(self.to("nginx"), 2, f"≤ {work.target:.2f}", "of nginx", lambda value: value <= work.target)
        if work.rate_target:
            add(self.rate_to("nginx"), 1, f"rate ≥ {work.rate_target}×", "times nginx's rate", lambda value: value >= work.rate_target)
        if work.tuned_target:
            add(self.to("nginx-tuned"), 2, f"≤ {work.tuned_target:.2f}", "of nginx with 64k buffers", lambda value: value <= work.tuned_target)
        if work.limit:
            add(self.beyond(), 1, f"{work.sign} {work.limit}{' more' if work.less and work.sign == '≤' else ''}", work.unit,
                lambda value: value < work.limit if work.sign == "<" else value <= work.limit)
        return found

    def missed(self):
        return [f"{self.workload.id}: {figure} {what}, {limit} wanted" for limit, figure, what, held in self.checks() if held is False]

    def figure_cells(self, peers):
        cells = [shown(self.figures.get(self.of(peer))) for peer in peers]
        if self.workload.less and "less" not in peers:
            cells[-1] += f" ({self.workload.less}: {shown(self.figures.get(self.workload.less))})"
        return cells

    def cells(self, table):
        work = self.workload
        cells = [work.id, work.title, work.unit] + self.figure_cells([peer for peer, _ in COLUMNS[table]])
        if table != "gate":
            held = [check[3] for check in self.checks()]
            verdict = "missed" if False in held else "–" if None in held else "held"
            limits = [f"{limit} {what}" if what.startswith("of nginx") else limit for limit, _, what, _ in self.checks()]
            if not limits:
                return cells + ["–", shown(self.beyond()), ""]
            return cells + [", ".join(limits), ", ".join(figure for _, figure, _, _ in self.checks()), verdict]
        target = f"≤ {work.target:.2f}" + (f", rate ≥ {work.rate_target}×" if work.rate_target else "")
        got = shown(self.to("nginx"), 2) + (f", {shown(self.rate_to('nginx'), 1)}×" if work.rate_target else "")
        return cells + [target, got, shown(self.to("nginx-tuned"), 2)]


COLUMNS = {
    "gate": [("nginx", "nginx"), ("nginx-elsewhere", "nginx, auth elsewhere"), ("nginx-tuned", "nginx, 64k buffers"), ("gatepost", "Gatepost")],
    "upstreams": [("nginx", "nginx"), ("nginx-tuned", "nginx, 64k buffers"), ("gatepost", "Gatepost")],
    "limits": [("less", "without rules"), ("gatepost", "with")],
}
JUDGED = {"gate": ["target", "to nginx", "to 64k buffers"], "upstreams": ["asked", "measured", ""], "limits": ["asked", "measured", ""]}


def head(table):
    return ["", "work", "figure"] + [title for _, title in COLUMNS[table]] + JUDGED[table]


def lines_of(cells, rows):
    return ["| " + " | ".join(cells) + " |", "|" + "---|" * len(cells)] + ["| " + " | ".join(row) + " |" for row in rows]


def markdown(table, rows, about):
    peers, titles = [list(column) for column in zip(*COLUMNS[table])]
    lines = lines_of(head(table), [row.cells(table) for row in rows])
    rates, spreads = [], []
    for row in rows:
        of = [row.of(peer) for peer in peers]
        if not row.workload.idle and any(row.rates.get(p) for p in of):
            rates.append([row.workload.id] + [f"{shown(row.rates.get(p))}; {shown(row.p50.get(p))} / {shown(row.p99.get(p))}"
                                              if row.rates.get(p) else "–" for p in of])
        spreads.append([row.workload.id] + [" – ".join(shown(v) for v in row.spread[p]) if p in row.spread else "–" for p in of])
    lines += ["", "Rates and latencies of the same runs (operations a second; p50 / p99 ms):", ""] + lines_of([""] + titles, rates)
    lines += ["", "Least and most of each figure over the rounds:", ""] + lines_of([""] + titles, spreads)
    return "\n".join(["Measured on: " + "; ".join(about) + ".", ""] + lines) + "\n"


MARKS = {"gate": "bench", "upstreams": "bench upstreams", "limits": "bench limits"}


def write_markdown(path, table, tables):
    """Into `path`: between the table's two marks when it has them, else as the whole file."""
    begin, end = (f"<!-- {MARKS[table]}: {word} -->" for word in ("begin", "end"))
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    if begin in old and end in old:
        tables = old[:old.index(begin)] + begin + "\n" + tables + old[old.index(end):]
    path.write_text(tables, encoding="utf-8")


def text(table, rows):
    cells = [[c for i, c in enumerate(line) if i != 1] for line in [head(table)] + [row.cells(table) for row in rows]]
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells)


def said(command, **options):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, **options)
    except OSError:
        return ""
    return (done.stdout + done.stderr).strip()


def about_machine(nginx, redis, gatepost):
    """One clause for each thing that the figures depend on."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        info = file.read()
    model = re.search(r"model name\s*: (.*)", info)
    family = re.search(r"cpu family\s*: (.*)", info)
    release = {}
    if os.path.exists("/etc/os-release"):
        with open("/etc/os-release", encoding="utf-8") as file:
            release = dict(line.rstrip().split("=", 1) for line in file if "=" in line)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    virtual = ", a virtual machine" if " hypervisor" in info else ""
    clauses = [
        f"{os.cpu_count()} × {model.group(1) if model else platform.machine()} (family {family.group(1) if family else '?'}){virtual}",
        f"{memory:.0f} GiB", f"Linux {re.match(r'[0-9.]+', platform.release()).group(0)}",
        release.get("PRETTY_NAME", "").strip('"'), said(["openssl", "version"]).split(" (")[0],
    ]
    if nginx:
        clauses.append(said([nginx.program, "-v"], env=nginx.environment).replace("nginx version: ", ""))
    if redis:
        clauses.append(re.sub(r"^.* v=(\S+).*$", r"Redis \1", said([redis.command[0], "--version"], env=redis.environment)))
    if gatepost:
        clauses.append(" ".join(said([gatepost, "version"]).split("\n")[:1]))
    return [clause for clause in clauses if clause]
