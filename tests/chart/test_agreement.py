"""That the parts of a release fit: the configuration is one that Gatepost takes, with the files that are mounted and the ports that are open."""
import os
import pathlib
import subprocess

import pytest
import tools
import yaml
from conftest import CHART, MINIMAL
from test_rendered import conform


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=mail.example.com", "-keyout", folder / "tls.key", "-out", folder / "tls.crt"]
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    return {name: (folder / name).read_bytes() for name in ("tls.crt", "tls.key")}


def of_kind(objects, kind, end=""):
    return next((one for one in objects if one["kind"] == kind and one["metadata"]["name"].endswith(end)), None)


def workload(objects):
    return next(one for one in objects if one["kind"] in ("Deployment", "DaemonSet"))


def parts(helm, case):
    """The pod, its container, and its configuration or None."""
    objects = helm.objects(case)
    pod = workload(objects)["spec"]["template"]["spec"]
    texts = [one[data].get("gatepost.yaml") for one in objects for kind, data in (("ConfigMap", "data"), ("Secret", "stringData")) if one["kind"] == kind]
    return pod, next(one for one in pod["containers"] if one["name"] == "gatepost"), next(filter(None, texts), None)


def files_named(config):
    """Every path in a configuration."""
    if isinstance(config, dict):
        config = list(config.values())
    if isinstance(config, list):
        return {path for one in config for path in files_named(one)}
    return {config} if isinstance(config, str) and config.startswith(("/etc/", "/run/")) else set()


def test_gatepost_takes_the_configuration(helm, case, gatepost, certificate, tmp_path):
    """With the files that it names made under a folder of the test, at the same places."""
    pod, container, text = parts(helm, case)
    if text is None:
        config = pod["volumes"][0]
        assert config.get("configMap", {}).get("name") == of_existing(case, "existingConfigMap")
        assert config.get("secret", {}).get("secretName") == of_existing(case, "existingConfigSecret")
        return
    contents = certificate | {"users": b"", "ca.crt": certificate["tls.crt"], "ticket-keys": os.urandom(160), "scram-secret": b"x" * 44, "password": b"secret\n"}
    for path in files_named(yaml.safe_load(text)):
        place = tmp_path / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if not path.endswith(".sock"):
            place.write_bytes(contents[place.name])
            place.chmod(0o440)
    file = tmp_path / "gatepost.yaml"
    file.write_text(text.replace("/etc/gatepost/", f"{tmp_path}/etc/gatepost/").replace("/run/gatepost/", f"{tmp_path}/run/gatepost/"))
    ran = subprocess.run([gatepost, "check", "--config", file], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def of_existing(case, key):
    return yaml.safe_load((CHART / "ci" / f"{case}-values.yaml").read_text()).get(key)


def test_a_secret_configuration_is_in_no_config_map(helm):
    objects = helm.objects("secret-config")
    assert [one["kind"] for one in objects if "not-for-git" in str(one)] == ["Secret"]
    assert parts(helm, "secret-config")[0]["volumes"][0]["secret"] == {"secretName": "mail-gatepost", "defaultMode": 0o440}


def test_its_files_are_mounted(helm, case):
    pod, container, text = parts(helm, case)
    volumes = {one["name"] for one in pod["volumes"]}
    mounts = {one["mountPath"]: one for one in container["volumeMounts"]}
    assert {one["name"] for one in mounts.values()} <= volumes
    assert not any("subPath" in one for one in mounts.values())
    for path in files_named(yaml.safe_load(text or "{}")):
        folder = str(pathlib.PurePath(path).parent)
        assert folder in mounts, f"{path} is on no volume"
        assert mounts[folder].get("readOnly") or folder == "/run/gatepost"


def test_ports_lead_from_the_service_to_a_listener(helm, case):
    objects = helm.objects(case)
    pod, container, text = parts(helm, case)
    named = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert len(named) == len(container["ports"]) and min(named.values()) >= 1024
    for service in (one for one in objects if one["kind"] == "Service"):
        assert service["spec"]["selector"].items() <= workload(objects)["spec"]["template"]["metadata"]["labels"].items()
        assert {one["targetPort"] for one in service["spec"]["ports"]} <= named.keys()
    policy = of_kind(objects, "NetworkPolicy")["spec"]
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} <= named.keys()
    if text:
        config = yaml.safe_load(text)
        listening = {int(one["address"].rpartition(":")[2]) for one in config["listeners"]} | {int(config["admin"]["address"].rpartition(":")[2])}
        assert listening == set(named.values())


def test_it_may_connect_where_it_must(helm):
    policy = {name: of_kind(helm.objects(name), "NetworkPolicy")["spec"]["egress"] for name in ("cert-manager", "redis", "sentinel")}

    def place(rule):
        """A port, and an address or "any"; a rule without ports is for all pods, at any of theirs."""
        port = rule["ports"][0]["port"] if "ports" in rule else "any"
        target = rule.get("to", [{"ipBlock": {"cidr": "any"}}])[0]
        return port, target["ipBlock"]["cidr"] if "ipBlock" in target else "pods"

    where = {name: {place(rule) for rule in rules} for name, rules in policy.items()}
    dns, pods = (53, "any"), ("any", "pods")
    assert where["cert-manager"] == {dns, (25, "192.0.2.1/32"), (25, "2001:db8::1/128"), (2525, "any"), (25, "any"), pods}
    assert where["redis"] == {dns, (25, "any"), (6380, "any"), pods}
    assert where["sentinel"] == {dns, (25, "any"), (26379, "10.1.0.1/32"), (26379, "10.1.0.2/32"), (26379, "fd00::3/128"), (6379, "any"), pods}


@pytest.mark.parametrize(("name", "seconds"), [("minimal", 10 + 60 + 300 + 10), ("cert-manager", 10 + 60 + 600 + 10)])
def test_grace_is_what_a_drain_may_take(helm, name, seconds):
    pod, container, text = parts(helm, name)
    config = yaml.safe_load(text)
    assert pod["terminationGracePeriodSeconds"] == seconds
    assert config["drain"] == {"delay": "10s", "timeout": "60s"}
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["gatepost", "drain", "--wait", "--admin", f"unix:{config['admin']['socket']}"]


@pytest.mark.parametrize("delay", [0, 10, 60])
def test_a_pod_that_ends_is_well_until_it_stops_to_accept(helm, delay):
    """With externalTrafficPolicy: Local a node sends nothing to its last, ending pod whose probe fails."""
    objects = helm.objects_of("--values", MINIMAL, "--set", f"drain.delaySeconds={delay}")
    probe = of_kind(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    # The first look may come at once.
    assert delay < probe["periodSeconds"] * (probe["failureThreshold"] - 1) <= delay + 2 * probe["periodSeconds"]


def test_a_changed_configuration_replaces_the_pods(helm):
    def sums(*words):
        text = helm.template("--values", MINIMAL, *words).stdout
        return [line for line in text.splitlines() if "checksum/config" in line]

    assert len(sums()) == 1 and sums() == sums("--set", "replicaCount=5")
    assert sums() != sums("--set", "config.session.max_errors=5")
    assert sums("--set", "configChecksum.enabled=false") == []


def test_alerts_are_those_of_the_files(helm):
    rule = of_kind(helm.objects("monitoring"), "PrometheusRule")["spec"]["groups"]
    there = {group["name"]: [dict(one) for one in group["rules"]] for group in rule}
    for name in ("rules", "alerts"):
        file = yaml.safe_load((CHART.parent.parent / f"prometheus/gatepost-{name}.yaml").read_text())["groups"][0]
        wanted = [one for one in file["rules"] if one.get("alert") != "GatepostMailFlowStopped"]
        for one in wanted:
            if "alert" in one:
                one["annotations"]["runbook_url"] = "https://wiki.example.org/gatepost/" + one["annotations"]["runbook_url"]
        assert there[f"gatepost-{name}"] == wanted


def test_dashboards_are_those_of_the_files(helm):
    files = {path.name: path.read_text() for path in (CHART.parent.parent / "grafana").glob("*.json")}
    there = {name: text for one in helm.objects("monitoring") if one["kind"] == "ConfigMap" for name, text in one["data"].items() if name.endswith(".json")}
    assert {name: text.rstrip("\n") for name, text in there.items()} == {name: text.rstrip("\n") for name, text in files.items()}
    # kubectl keeps what it applied in an annotation of 256 KiB at most.
    assert max(len(text) for text in there.values()) < 250_000


def test_what_is_said_twice_stands_once(helm):
    """Of an object and of all: the object's own wins, and no key is there twice, which PyYAML would not tell."""
    ran = helm.template("--values", MINIMAL, "--set", "commonLabels.team=all,service.labels.team=mail,podLabels.team=mail,commonAnnotations.team=all,podAnnotations.team=mail")
    assert ran.returncode == 0, ran.stderr
    service = of_kind(list(filter(None, yaml.safe_load_all(ran.stdout))), "Service", "gatepost")
    assert service["metadata"]["labels"]["team"] == "mail"
    assert conform(ran.stdout, tools.KUBERNETES[1]) == ""


def test_names_of_digits_are_words(helm):
    for one in helm.objects_of("--values", MINIMAL, "--set-string", "namespaceOverride=456", "--set-string", "nameOverride=g1", "--set-string", "fullnameOverride=g1"):
        assert one["metadata"]["namespace"] == "456"


def test_nothing_leads_to_a_listener_of_no_service(helm):
    policy = of_kind(helm.objects_of("--values", MINIMAL, "--set", "listeners.submissions.expose=none"), "NetworkPolicy")["spec"]
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} == {"submission", port_name(helm), "admin"}


def port_name(helm):
    """What the long name of the internal listener is as a port."""
    pod, container, text = parts(helm, "minimal")
    return next(one["name"] for one in container["ports"] if one["containerPort"] == 1588)


@pytest.mark.parametrize("limit", ["", "2"])
def test_threads_are_as_many_as_the_pod_may_use(helm, limit):
    """Without a limit of CPU they would be as many as the node has CPUs."""
    words = ["--set", f"resources.limits.cpu={limit}"] if limit else []
    config = yaml.safe_load(next(one for one in helm.objects_of("--values", MINIMAL, *words) if one["kind"] == "ConfigMap")["data"]["gatepost.yaml"])
    assert (config.get("workers"), config["auth"].get("concurrency")) == ((None, None) if limit else (2, 2))
