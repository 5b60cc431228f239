"""What may be asked of Gatepost's metrics: their names and the closed sets of their labels' values, read from docs/metrics.md."""
import re

SELECTOR = re.compile(r"(?<![:\w])((?:gatepost|process)_\w+|up)(?![:\w])(\{[^}]*\})?(\[[^\]]*\])?")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')


class Metrics:
    def __init__(self, root):
        text = (root / "docs/metrics.md").read_text()
        silence = (root / "tests/e2e/monitoring_silence.txt").read_text().splitlines()
        self.names = {"up", *(line.split()[0] for line in silence if line and not line.startswith("#"))}
        for name, kind in re.findall(r"^\| `(\w+)` \| (\w+) \|", text, re.M):
            self.names |= {f"{name}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {name}
        self.values = {(name, label): set(re.findall(r"`([^`]+)`", values)) for name, label, values in re.findall(r"^\| `(\w+)` \| `(\w+)` \| (`.+`) \|$", text, re.M)}

    def misspelt(self, query):
        """One line for each name that is no metric, and for each value that its label never has."""
        for name, matchers, _ in SELECTOR.findall(query):
            if name not in self.names:
                yield f"{name} is not in docs/metrics.md"
            for label, text in MATCHER.findall(matchers):
                known = self.values.get((re.sub(r"_(bucket|sum|count)$", "", name), label))
                unknown = set(text.split("|")) - known if known and not text.startswith("$") else ()
                yield from (f"{name} never has {label}={value!r}" for value in sorted(unknown))
