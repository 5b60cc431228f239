"""Debian's Prometheus: scrapes Gateposts each second and evaluates the rules of deploy/prometheus; and its promtool."""
import json
import math
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from .packages import ROOT, unpack
from .process import Program, free_port, wait_until

RULES = [ROOT / "deploy/prometheus" / name for name in ("gatepost-rules.yaml", "gatepost-alerts.yaml")]


def _programs():
    return unpack("prometheus", alone=True)[0] / "usr/bin"


def promtool(*words, **more):
    return subprocess.run([_programs() / "promtool", *map(str, words)], capture_output=True, text=True, timeout=60, **more)


class Prometheus(Program):
    """`labels` are those of the job gatepost, which has these ports as its targets."""

    def __init__(self, folder, targets, labels):
        self.port = free_port()
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in RULES],
            "scrape_configs": [{"job_name": "gatepost", "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in targets], "labels": labels}]}],
        }
        path = folder / "prometheus.yml"
        path.write_text(json.dumps(config))
        command = [_programs() / "prometheus", f"--config.file={path}", f"--storage.tsdb.path={folder / 'prometheus'}", f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"]
        super().__init__(folder, "prometheus", command)
        self.assert_started(wait_until(lambda: not self.alive() or self._is_ready(), 20))

    def _is_ready(self):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=2).status == 200
        except OSError:
            return False

    def api(self, path, **parameters):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error

    def query(self, expression):
        """[(labels, value)] of what `expression` gives now, without what is not a number (0 / 0)."""
        found = [(sample["metric"], float(sample["value"][1])) for sample in self.api("query", query=expression)["result"]]
        return [(labels, value) for labels, value in found if not math.isnan(value)]

    def rules(self):
        return [rule for group in self.api("rules")["groups"] for rule in group["rules"]]

    def stop(self):
        if self.alive():
            self.terminate()
