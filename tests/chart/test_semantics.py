"""What an API server refuses, or a controller cannot work with, though every field is known: no schema sees that, and no cluster is at hand to say it.

Each values file of ci/ is looked at by the rules that concern our objects, and values that would break one are refused when the chart is rendered (test_refused.py)."""
import re

import pytest
import yaml
from conftest import CHART

LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")


def duplicates(items):
    items = [one for one in items if one is not None]
    return {one for one in items if items.count(one) > 1}


def of_labels(one):
    for field in ("labels", "annotations"):
        for key, text in (one.get(field) or {}).items():
            if not isinstance(text, str):
                yield f"{field} {key}: {text!r} is no text"
            elif field == "labels" and not LABEL.fullmatch(text):
                yield f"label {key}: {text}"


def of_service(spec):
    ports, type_ = spec["ports"], spec["type"]
    outside = type_ != "ClusterIP" or spec.get("externalIPs")
    for field in ("loadBalancerClass", "loadBalancerSourceRanges", "allocateLoadBalancerNodePorts"):
        if field in spec and type_ != "LoadBalancer":
            yield f"{field} of a {type_}"
    if "externalTrafficPolicy" in spec and not outside:
        yield "externalTrafficPolicy of a Service that nobody outside reaches"
    if type_ == "ClusterIP" and any("nodePort" in one for one in ports):
        yield "nodePort of a ClusterIP"
    if any(one.get("nodePort") == 0 for one in ports):
        yield "nodePort 0"
    if type_ != "ClusterIP" and spec.get("clusterIP") == "None":
        yield f"clusterIP None of a {type_}"
    if len(spec.get("ipFamilies", [])) > 1 and spec.get("ipFamilyPolicy") not in ("PreferDualStack", "RequireDualStack"):
        yield "two families of a Service with one"
    yield from (f"{field} twice: {found}" for field in ("name", "port", "nodePort") if (found := duplicates([one.get(field) for one in ports])))
    if not ports:
        yield "no ports"


def of_workload(kind, spec):
    strategy = spec["strategy" if kind == "Deployment" else "updateStrategy"]
    rolling = strategy.get("rollingUpdate")
    ports = [one for container in spec["template"]["spec"]["containers"] for one in container.get("ports", [])]
    if strategy["type"] != "RollingUpdate" and rolling:
        yield f"rollingUpdate of {strategy['type']}"
    if rolling:
        moving = [field for field in ("maxUnavailable", "maxSurge") if rolling[field] not in (0, "0%")]
        if not moving or (kind == "DaemonSet" and len(moving) > 1):
            yield f"rollingUpdate {rolling}"
        if kind == "DaemonSet" and "maxSurge" in moving and any("hostPort" in one for one in ports):
            yield "two pods of a node cannot have the same hostPort"
    if spec["minReadySeconds"] >= 600:
        yield "minReadySeconds is not less than progressDeadlineSeconds"
    if kind == "DaemonSet" and "replicas" in spec:
        yield "replicas of a DaemonSet"
    if not spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items():
        yield "the selector is not that of the pods"
    yield from (f"port {one['name']}" for one in ports if not PORT_NAME.fullmatch(one["name"]))
    yield from (f"{field} twice: {found}" for field in ("name", "containerPort", "hostPort") if (found := duplicates([one.get(field) for one in ports])))
    for one in spec["template"]["spec"].get("topologySpreadConstraints", []):
        if not one["labelSelector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items():
            yield "topologySpreadConstraints count other pods"


def of_scaling(kind, spec):
    least, most = ("minReplicas", "maxReplicas") if kind == "HorizontalPodAutoscaler" else ("minReplicaCount", "maxReplicaCount")
    if spec[least] > spec[most]:
        yield "more pods at least than at most"


def complaints(objects):
    """What is wrong with a release."""
    kinds = {one["kind"] for one in objects}
    for one in objects:
        kind, name, spec = one["kind"], one["metadata"]["name"], one.get("spec", {})
        found = list(of_labels(one["metadata"]))
        if not NAME.fullmatch(name):
            found.append("its name")
        if kind == "Service":
            found += of_service(spec)
        elif kind in ("Deployment", "DaemonSet"):
            found += [*of_workload(kind, spec), *of_labels(spec["template"]["metadata"])]
        elif kind in ("HorizontalPodAutoscaler", "ScaledObject"):
            found += of_scaling(kind, spec)
            found += ["of a DaemonSet"] if "DaemonSet" in kinds else []
        elif kind == "PodDisruptionBudget":
            found += ["minAvailable and maxUnavailable"] if {"minAvailable", "maxUnavailable"} <= spec.keys() else []
            found += ["of a DaemonSet, whose pods cannot be counted"] if "DaemonSet" in kinds else []
        elif kind == "NetworkPolicy":
            ports = [port["port"] for rule in spec["ingress"] + spec.get("egress", []) for port in rule.get("ports", [])]
            found += [f"port {port}" for port in ports if not (PORT_NAME.fullmatch(port) if isinstance(port, str) else 0 < port < 65536)]
        yield from (f"{kind} {name}: {what}" for what in found)
    yield from (f"name twice: {found}" for found in duplicates([(one["kind"], one["metadata"]["name"]) for one in objects]))
    yield from (f"nodePort twice: {found}" for found in duplicates([port.get("nodePort") for one in objects if one["kind"] == "Service" for port in one["spec"]["ports"]]))


def rendered(helm, case, *words):
    ran = helm.template("--values", CHART / "ci" / f"{case}-values.yaml", *words)
    return ran, [one for one in yaml.safe_load_all(ran.stdout) if one]


def test_nothing_is_wrong(helm, case):
    assert list(complaints(helm.objects(case))) == []


LONG = "a" * 63


@pytest.mark.parametrize(("case", "words"), [
    ("monitoring", ("--set", f"fullnameOverride={LONG}")),
    ("keda", ("--set", f"nameOverride={LONG}")),
    ("load-balancer", ("--set", f"fullnameOverride={'b' * 51}-{LONG}")),
    ("minimal", ("--set", f"listeners.{LONG}.port=2525,listeners.{LONG}.exposedPort=25,listeners.{LONG[:40]}.port=2526,listeners.{LONG[:40]}.exposedPort=26")),
    ("minimal", ("--set", "service.type=ClusterIP,service.loadBalancerClass=a,service.allocateLoadBalancerNodePorts=false,service.loadBalancerSourceRanges={10.0.0.0/8},listeners.submission.nodePort=30587")),
    ("minimal", ("--set", "service.type=NodePort,service.loadBalancerClass=a,service.allocateLoadBalancerNodePorts=false,service.loadBalancerSourceRanges={10.0.0.0/8}")),
    ("minimal", ("--set", "service.type=ClusterIP,service.externalIPs={192.0.2.1}")),
    ("minimal", ("--set", "service.clusterIP=None,service.type=ClusterIP")),
    ("minimal", ("--set", "listeners.submission.expose=none,listeners.submissions.expose=none,listeners.submissions.exposedPort=587")),
    ("minimal", ("--set", "kind=DaemonSet")),
    ("minimal", ("--set", "kind=DaemonSet,updateStrategy.type=OnDelete,listeners.submission.hostPort=587")),
    ("minimal", ("--set", "updateStrategy.type=Recreate")),
    ("minimal", ("--set", "updateStrategy.rollingUpdate.maxSurge=25%,updateStrategy.rollingUpdate.maxUnavailable=25%")),
    ("monitoring", ("--set", "metrics.serviceMonitor.sampleLimit=2000000")),
])  # fmt: skip
def test_still_nothing_is_wrong(helm, case, words):
    ran, objects = rendered(helm, case, *words)
    assert ran.returncode == 0, ran.stderr
    assert list(complaints(objects)) == []
    assert "e+0" not in ran.stdout  # how Helm writes numbers from a million on, where it is not told


def changed(objects, kind, change):
    for one in objects:
        if one["kind"] == kind:
            change(one)
    return list(complaints(objects))


@pytest.mark.parametrize(("case", "kind", "change"), [
    ("minimal", "Service", lambda one: one["metadata"]["labels"].update(a=1)),
    ("minimal", "Service", lambda one: one["metadata"].update(name="a" * 64)),
    ("minimal", "Service", lambda one: one["spec"]["ports"].append(one["spec"]["ports"][0])),
    ("minimal", "Service", lambda one: one["spec"].update(type="ClusterIP")),
    ("load-balancer", "Service", lambda one: one["spec"].update(type="NodePort")),
    ("node-ports", "Service", lambda one: one["spec"].update(type="ClusterIP")),
    ("internal-service", "Service", lambda one: one["spec"].pop("ipFamilyPolicy", None)),
    ("daemon-set", "DaemonSet", lambda one: one["spec"]["updateStrategy"].update(rollingUpdate={"maxUnavailable": 0, "maxSurge": 1})),
    ("minimal", "Deployment", lambda one: one["spec"]["strategy"].update(type="Recreate")),
    ("minimal", "Deployment", lambda one: one["spec"]["template"]["spec"]["containers"][0]["ports"][0].update(name="submission--a")),
    ("autoscaling", "HorizontalPodAutoscaler", lambda one: one["spec"].update(minReplicas=99)),
    ("minimal", "PodDisruptionBudget", lambda one: one["spec"].update(minAvailable=1)),
    ("minimal", "NetworkPolicy", lambda one: one["spec"]["egress"][0]["ports"][0].update(port=65536)),
])  # fmt: skip
def test_what_is_wrong_is_found(helm, case, kind, change):
    assert changed(helm.objects(case), kind, change)
