"""What each values file of ci/ becomes: as the golden files have it, valid for three versions of Kubernetes, and in the eyes of a linter."""
import difflib
import json
import pathlib
import re
import subprocess

import pytest
import tools
from conftest import CASES, CHART, tool

GOLDEN = pathlib.Path(__file__).parent / "golden"
OPERATOR = ["ServiceMonitor", "PodMonitor", "PrometheusRule"]

# Rules of kube-score that do not hold, and why.
EXCEPTIONS = {
    "container-image-pull-policy": "a digest or a version never changes; Always would tie each start of a pod to the registry",
    "deployment-has-host-podantiaffinity": "topologySpreadConstraints spread the pods",
    "deployment-replicas": "one pod is a choice, and KEDA says how many",
    "pod-networkpolicy": "the pod of helm test connects to nobody",
    "service-type": "NodePort is for a balancer of one's own in front of nodes",
}


def shortened(text):
    """Without what other tests hold: dashboards octet by octet, and sums of configurations."""
    text = re.sub(r"^(  gatepost-\w+\.json: \|)\n(?:    .*\n)+", r"\1\n    (deploy/grafana)\n", text, flags=re.M)
    return re.sub(r"(checksum/config: )[0-9a-f]{64}", r"\1(of the configuration)", text)


def test_golden(helm, case, pytestconfig):
    """minimal is whole; of the others stands what differs from it."""
    text = shortened(helm.case(case))
    file = GOLDEN / (f"{case}.yaml" if case == "minimal" else f"{case}.diff")
    if case != "minimal":
        lines = (one.splitlines(keepends=True) for one in (shortened(helm.case("minimal")), text))
        text = "".join(difflib.unified_diff(*lines, "minimal", case, n=2))
    if pytestconfig.getoption("--update"):
        file.write_text(text)
    assert file.exists() and file.read_text() == text, f"look at it, then: pytest tests/chart --update\n{text if not file.exists() else ''.join(difflib.unified_diff(file.read_text().splitlines(keepends=True), text.splitlines(keepends=True)))}"


def test_no_golden_is_left_over(helm):
    names = {path.stem for path in GOLDEN.iterdir()}
    assert names == {path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml")}


@pytest.mark.parametrize("version", tools.KUBERNETES)
def test_objects_are_kubernetes_own(helm, version, tmp_path):
    """All cases at once: reading the schemas takes longer than looking at a case."""
    texts = {case: helm.case(case) for case in CASES}
    for case, text in texts.items():
        (tmp_path / f"{case}.yaml").write_text(text)
    assert conform("", version, sorted(tmp_path.glob("*.yaml"))) == ""


def conform(text, version, files=("-",)):
    """What kubeconform complains of."""
    kubeconform, folders = tool(tools.program, "kubeconform"), tool(tools.kubernetes_schemas)
    locations = [f"{folder}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json" for folder in (folders[version], tool(tools.definition_schemas))]
    command = [kubeconform, "-strict", "-skip", ",".join(OPERATOR), *(word for one in locations for word in ("-schema-location", one)), *files]
    ran = subprocess.run([str(word) for word in command], input=text, capture_output=True, text=True)
    said = ran.stdout + ran.stderr
    assert ran.returncode == 0 or said
    return said


def test_objects_are_the_operators(helm, case):
    assert operator_says([one for one in helm.objects(case) if one["kind"] in OPERATOR]) == ""


def operator_says(objects):
    ran = subprocess.run([tool(tools.operator_reader)], input=json.dumps(objects), capture_output=True, text=True)
    return ran.stdout + ran.stderr


@pytest.mark.parametrize(("name", "good", "bad"), [
    ("minimal", "minReadySeconds:", "minReadySecond:"),
    ("minimal", "externalTrafficPolicy: Local", "externalTrafficPolicys: Local"),
    ("minimal", "policyTypes:", "policyType:"),
    ("autoscaling", "averageUtilization", "averageUtilisation"),
    ("cert-manager", "renewBefore:", "renewBevore:"),
    ("cert-manager", "algorithm: ECDSA", "algorithm: ECDH"),
    ("keda", "pollingInterval:", "pollingIntervall:"),
])  # fmt: skip
def test_a_wrong_field_is_found(helm, name, good, bad):
    """That the schemas are strict: what they would let pass, they would not have looked at."""
    assert good in helm.case(name)
    assert conform(helm.case(name).replace(good, bad, 1), tools.KUBERNETES[1]) != ""


@pytest.mark.parametrize(("name", "good", "bad"), [("monitoring", "scrapeTimeout", "scrapeTimeOut_"), ("monitoring", "runbook_url", 5), ("pod-monitor", "podMetricsEndpoints", "podMetricEndpoints")])
def test_a_field_that_the_operator_does_not_know_is_found(helm, name, good, bad):
    text = json.dumps([one for one in helm.objects(name) if one["kind"] in OPERATOR])
    assert f'"{good}"' in text
    changed = re.sub(f'"{good}": "[^"]*"', f'"{good}": {bad}', text, count=1) if bad == 5 else text.replace(f'"{good}"', f'"{bad}"', 1)
    assert operator_says(json.loads(changed)) != ""


def test_linter(helm, case):
    """kube-score; kube-linter cannot be had by any of the registries that the tests use."""
    # No limit of CPU on purpose: throttling delays all sessions of a pod.
    words = ["--ignore-container-cpu-limit", *(word for rule in EXCEPTIONS for word in ("--ignore-test", rule))]
    ran = subprocess.run([tool(tools.program, "kube-score"), "score", *words, "--output-format", "ci", "-"], input=helm.case(case), capture_output=True, text=True)
    wrong = [line for line in ran.stdout.splitlines() if line.startswith(("[CRITICAL]", "[WARNING]"))]
    assert not wrong, "\n".join(wrong)
    assert "[OK]" in ran.stdout or "[SKIPPED]" in ran.stdout, ran.stderr
