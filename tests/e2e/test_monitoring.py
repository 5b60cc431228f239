"""No dead panels: a real Prometheus scrapes a Gatepost under mixed load, and every query of every dashboard and every rule must find something there.

tests/e2e/monitoring_silence.txt lists what may find nothing, each with its reason; an entry that is not needed any more is a failure, too.
"""
import contextlib
import json
import pathlib
import re
import signal
import tempfile
import time

import pytest
import yaml
from harness import mixed_load
from harness.gatepost import Gatepost
from harness.packages import ROOT
from harness.process import free_port, wait_until
from harness.prometheus import RULES, Prometheus, promtool
from harness.redis import Redis
from harness.sink import Sink

pytestmark = pytest.mark.xdist_group("monitoring")  # one load for all of them
DASHBOARDS = sorted((ROOT / "deploy/grafana").glob("*.json"))
LOAD = 5  # seconds after the first scrape
VARIABLES = {"$namespace": "mail", "$job": "gatepost", "$instance": ".+", "$listener": ".+", "$upstream": ".+", "$__rate_interval": "30s"}
SILENCE = dict(line.split(maxsplit=1) for line in (ROOT / "tests/e2e/monitoring_silence.txt").read_text().splitlines() if line and not line.startswith("#"))


@pytest.fixture(scope="module")
def monitored(tmp_path_factory, tls):
    """(Gatepost, Prometheus), when there was load of every kind for a while."""
    folder = tmp_path_factory.mktemp("monitoring")
    with contextlib.ExitStack() as stack:

        def started(server):
            stack.callback(server.stop)
            return server

        well = started(Sink(folder, "--certificate", tls.rsa.certificate, "--key", tls.rsa.key, "--slow", "EOD=100", name="well"))
        unwilling = started(Sink(folder, "--reply", "RCPT~never=550 5.1.1 nobody", "--reply", "RCPT=451 4.2.2 not now", name="unwilling"))
        redis = started(Redis(folder))
        socket_path = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gatepost-"))) / "admin.sock"  # pytest's folders are too long
        gate = started(Gatepost(folder, tls, 0, mixed_load.configuration(well.port, unwilling.port, free_port(), redis, socket_path)))
        prometheus = started(Prometheus(folder, [gate.admin_port], {"namespace": "mail"}))
        load = mixed_load.MixedLoad(gate)
        assert wait_until(lambda: prometheus.query("up == 1"), 15, 0.2), prometheus.log  # it waits five seconds before it begins
        time.sleep(LOAD / 2)
        gate.process.send_signal(signal.SIGHUP)
        time.sleep(LOAD / 2)
        yield gate, prometheus
        load.stop()


def filled(query):
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    return query


def targets():
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", ()):
                yield f"{path.stem} / {panel['title']} / {target['refId']}", target["expr"]


def events():
    for event in json.loads(DASHBOARDS[0].read_text())["annotations"]["list"]:
        yield event["name"], event["expr"]


def rules():
    """(name, expression): comparisons give 0 or 1 instead of nothing, and yesterday is a second ago."""
    for path in RULES:
        for number, rule in enumerate(promtool_rules(path)):
            yield f"{path.stem} / {number}", re.sub(r" (==|<|>) ", r" \1 bool ", rule).replace("offset 1d", "offset 1s")


def promtool_rules(path):
    return [rule["expr"] for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def silent_without_reason(prometheus, queries):
    """What finds nothing, and the entries of the list that excused something."""
    silent, used = [], set()
    for name, query in queries:
        if prometheus.query(filled(query)):
            continue
        reasons = {text for text in SILENCE if text in query}
        used |= reasons
        if not reasons:
            silent.append(f"{name}: {query}")
    return silent, used


def test_no_dead_panels(monitored):
    _, prometheus = monitored
    reloads = [(name, query) for name, query in events() if name == "Reload"]
    everything = [*targets(), *rules(), *reloads]
    assert len(reloads) == 1 and len(everything) > 100
    wait_until(lambda: not silent_without_reason(prometheus, everything)[0], 5, 1)
    silent, used = silent_without_reason(prometheus, everything)
    assert not silent, "\n".join(silent)
    assert used == SILENCE.keys(), f"not needed any more: {SILENCE.keys() - used}"


def test_variables_have_values(monitored):
    _, prometheus = monitored
    for path in DASHBOARDS:
        for variable in json.loads(path.read_text())["templating"]["list"]:
            if variable["type"] == "query":
                expression, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]).groups()
                assert any(label in labels for labels, _ in prometheus.query(filled(expression))), f"{path.stem}: {variable['query']}"


def test_events_can_be_asked_for(monitored):
    """Most of the time nothing happens, so they need not find anything."""
    _, prometheus = monitored
    for _, query in events():
        prometheus.query(filled(query))


def test_rules_are_evaluated(monitored):
    _, prometheus = monitored
    evaluated = prometheus.rules()
    assert len(evaluated) == sum(len(promtool_rules(path)) for path in RULES)
    for rule in evaluated:
        assert rule["health"] == "ok", rule
        if rule["type"] == "recording":
            assert wait_until(lambda name=rule["name"]: prometheus.query(name), 5), rule


def test_metrics_are_as_prometheus_wants_them(monitored):
    gate, _ = monitored
    checked = promtool("check", "metrics", input=gate.admin("/metrics")[1])
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
