"""From the load tool's answers to medians, ratios and the two forms of the table: for the terminal and for the docs."""

import os
import platform
import re
import statistics
import subprocess


def median(answers, name):
    return statistics.median(answer[name] for answer in answers) if answers else None


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
        self.figures = {peer: median(list_, workload.figure) for peer, list_ in answers.items()}
        self.rates = {peer: median(list_, "rate") for peer, list_ in answers.items()}
        self.p50 = {peer: median(list_, "p50_ms") for peer, list_ in answers.items()}
        self.p99 = {peer: median(list_, "p99_ms") for peer, list_ in answers.items()}
        self.spread = {peer: (min(one[workload.figure] for one in list_), max(one[workload.figure] for one in list_))
                       for peer, list_ in answers.items() if list_}

    def to(self, peer):
        return ratio(self.figures.get("gatepost"), self.figures.get(peer))

    def rate_to(self, peer):
        return ratio(self.rates.get("gatepost"), self.rates.get(peer))

    def missed(self):
        misses = []
        if self.to("nginx") is not None and self.to("nginx") > self.workload.target:
            misses.append(f"{self.workload.id}: {self.to('nginx'):.2f} of nginx, at most {self.workload.target:.2f} wanted")
        if self.workload.rate_target and self.rate_to("nginx") is not None and self.rate_to("nginx") < self.workload.rate_target:
            misses.append(f"{self.workload.id}: {self.rate_to('nginx'):.1f} times nginx's rate, {self.workload.rate_target} wanted")
        return misses

    def cells(self):
        work = self.workload
        target = f"≤ {work.target:.2f}" + (f", rate ≥ {work.rate_target}×" if work.rate_target else "")
        got = shown(self.to("nginx"), 2) + (f", {shown(self.rate_to('nginx'), 1)}×" if work.rate_target else "")
        return [work.id, work.title, work.unit] + [shown(self.figures.get(peer)) for peer in
                ("nginx", "nginx-elsewhere", "nginx-tuned", "gatepost")] + [target, got, shown(self.to("nginx-tuned"), 2)]


HEAD = ["", "work", "figure", "nginx", "nginx, auth elsewhere", "nginx, 64k buffers", "Gatepost", "target", "to nginx", "to 64k buffers"]


def markdown(rows, about):
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    lines += ["| " + " | ".join(row.cells()) + " |" for row in rows]
    lines += ["", "Rates and latencies of the same runs (operations a second; p50 / p99 ms):", ""]
    peers = ["nginx", "nginx-elsewhere", "nginx-tuned", "gatepost"]
    lines += ["| | " + " | ".join(HEAD[3:7]) + " |", "|" + "---|" * 5]
    for row in rows:
        if row.workload.idle:
            continue
        cells = [f"{shown(row.rates.get(p))}; {shown(row.p50.get(p))} / {shown(row.p99.get(p))}" if row.rates.get(p) else "–"
                 for p in peers]
        lines.append(f"| {row.workload.id} | " + " | ".join(cells) + " |")
    lines += ["", "Least and most of each figure over the rounds:", ""]
    lines += ["| | " + " | ".join(HEAD[3:7]) + " |", "|" + "---|" * 5]
    for row in rows:
        cells = [" – ".join(shown(v) for v in row.spread[p]) if p in row.spread else "–" for p in peers]
        lines.append(f"| {row.workload.id} | " + " | ".join(cells) + " |")
    return "\n".join(["Measured on: " + "; ".join(about) + ".", ""] + lines) + "\n"


BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def write_markdown(path, tables):
    """Into `path`: between the two marks when it has them, else as the whole file."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    if BEGIN in old and END in old:
        tables = old[:old.index(BEGIN)] + BEGIN + "\n" + tables + old[old.index(END):]
    path.write_text(tables, encoding="utf-8")


def text(rows):
    table = [[c for i, c in enumerate(cells) if i not in (1,)] for cells in [HEAD] + [row.cells() for row in rows]]
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in table)


def said(command, **options):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, **options)
    except OSError:
        return ""
    return (done.stdout + done.stderr).strip()


def about_machine(nginx, gatepost):
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
        said([nginx.program, "-v"], env=nginx.environment).replace("nginx version: ", ""),
    ]
    if gatepost:
        clauses.append(" ".join(said([gatepost, "version"]).split("\n")[:1]))
    return [clause for clause in clauses if clause]
