"""What an API server refuses, or a controller cannot work with, though every field is known: no schema sees that, and no cluster is at hand to say it.

Each values file of ci/ is looked at by the rules that concern our objects, and values that would break one are refused when the chart is rendered."""
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


REFUSED = {
    "an HPA of a DaemonSet": ("kind=DaemonSet,autoscaling.enabled=true", "autoscaling.enabled and kind: DaemonSet"),
    "KEDA of a DaemonSet": ("kind=DaemonSet,keda.enabled=true,keda.triggers[0].type=cron", "keda.enabled and kind: DaemonSet"),
    "a kind": ("kind=StatefulSet", "kind"),
    "a DaemonSet's port twice on a node": ("kind=DaemonSet,listeners.submission.hostPort=587", "listeners.submission.hostPort: a second pod"),
    "a DaemonSet that does both": ("kind=DaemonSet,updateStrategy.rollingUpdate.maxUnavailable=10%", "either maxUnavailable or maxSurge"),
    "Recreate of a DaemonSet": ("kind=DaemonSet,updateStrategy.type=Recreate", "a DaemonSet knows no Recreate"),
    "OnDelete of a Deployment": ("updateStrategy.type=OnDelete", "a Deployment knows no OnDelete"),
    "a rollout that cannot move": ("updateStrategy.rollingUpdate.maxSurge=0", "both 0"),
    "a rollout of more than all": ("updateStrategy.rollingUpdate.maxSurge=101%", "maxSurge"),
    "a key of a rollout": ("updateStrategy.rollingUpdate.partition=1", "partition"),
    "a pod that is never ready in time": ("minReadySeconds=600", "minReadySeconds"),
    "an HPA upside down": ("autoscaling.enabled=true,autoscaling.minReplicas=11", "autoscaling.minReplicas: more than maxReplicas"),
    "KEDA upside down": ("keda.enabled=true,keda.triggers[0].type=cron,keda.minReplicas=11", "keda.minReplicas: more than maxReplicas"),
    "one port of a Service twice": ("listeners.submissions.exposedPort=587", "listeners.submissions.exposedPort: 587 is that of listeners.submission too"),
    "one port of nodes twice": ("listeners.submissions.nodePort=30587,listeners.submission-internal.nodePort=30587", "nodePort: 30587 is that of"),
    "one port of hosts twice": ("listeners.submissions.hostPort=587,listeners.submission.hostPort=587", "hostPort: 587 is that of"),
    "a listener called admin": ("listeners.admin.port=2525,listeners.admin.exposedPort=25", "listeners.admin"),
    "a listener in capitals": ("listeners.Printers.port=2525,listeners.Printers.exposedPort=25", "Printers"),
    "a listener without a letter": ("listeners.25.port=2525,listeners.25.exposedPort=25", "25"),
    "a load balancer without an address": ("service.clusterIP=None", "service.clusterIP: a LoadBalancer needs an address"),
    "an internal one": ("service.internal.type=NodePort,service.internal.clusterIP=None", "service.internal.clusterIP: a NodePort needs"),
    "two families and one stack": ("service.ipFamilies={IPv4,IPv6},service.ipFamilyPolicy=SingleStack", "service.ipFamilyPolicy"),
    "one family twice": ("service.internal.ipFamilies={IPv4,IPv4}", "ipFamilies"),
    "an affinity": ("service.internal.sessionAffinity=Cookie", "sessionAffinity"),
    "a distribution of traffic": ("service.internal.trafficDistribution=Nearest", "trafficDistribution"),
    "a number as a label": ("podLabels.tier=1", "tier"),
    "a boolean as an annotation": ("service.annotations.internal=true", "internal"),
    "a label of the selector": ("podLabels.app\\.kubernetes\\.io/name=mine", "invalid propertyName 'app.kubernetes.io/name'"),
    "a name of a Service": ("fullnameOverride=2mail", "cannot be the name of a Service"),
    "a budget": ("podDisruptionBudget.minAvailable=half", "minAvailable"),
    "a scrape that never ends": ("metrics.serviceMonitor.enabled=true,metrics.serviceMonitor.interval=5s", "metrics.serviceMonitor.scrapeTimeout"),
    "a monitor without a port": ("metrics.enabled=false,metrics.podMonitor.enabled=true", "metrics.podMonitor.enabled needs"),
    "a key of KEDA's HPA": ("keda.horizontalPodAutoscalerConfig.behaviour.a=1", "behaviour"),
    "two configurations": ("existingConfigMap=a,existingConfigSecret=b", "which one"),
    "a foreign one that shall be secret": ("existingConfigMap=a,secretConfig=true", "existingConfigSecret"),
    "egress by a foreign Secret": ("existingConfigSecret=a", "networkPolicy.extraEgress"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refused(helm, what):
    values, said = REFUSED[what]
    ran, _ = rendered(helm, "minimal", "--set", values)
    assert ran.returncode != 0 and said in ran.stderr, ran.stderr or "it was rendered"


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
