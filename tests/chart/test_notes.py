"""What an operator reads after an installation. Helm shows notes only with a cluster at hand, so here they are rendered as an object."""
import shutil

import pytest
import yaml
from conftest import CHART


@pytest.fixture(scope="module")
def with_notes(tmp_path_factory):
    chart = tmp_path_factory.mktemp("notes") / "gatepost"
    shutil.copytree(CHART, chart)
    lines = (chart / "templates/NOTES.txt").read_text().splitlines()
    (chart / "templates/notes.yaml").write_text("notes: |\n" + "".join(f"  {line}\n" for line in lines))
    return chart


def notes(helm, chart, case, *words):
    ran = helm.template("--values", CHART / "ci" / f"{case}-values.yaml", "--show-only", "templates/notes.yaml", *words, chart=chart)
    assert ran.returncode == 0, ran.stderr
    return yaml.safe_load(ran.stdout)["notes"]


def test_where_clients_connect(helm, with_notes):
    said = notes(helm, with_notes, "proxy-protocol")
    assert "587  submission (TLS: starttls, PROXY from 10.0.0.0/16)" in said
    assert "465  submissions (TLS: implicit" in said
    assert "submission-internal" not in said


def test_each_case_has_notes(helm, with_notes, case):
    assert "Does mail flow?" in notes(helm, with_notes, case)


@pytest.mark.parametrize(("case", "words", "said"), [
    ("self-signed", (), "for trials only"),
    ("self-signed", (), "greeted with the name of a pod"),
    ("minimal", (), "2 pods allow 2 times as much"),
    ("minimal", (), "SCRAM shows which users do not exist"),
    ("minimal", ("--set", "terminationGracePeriodSeconds=379"), "is less than drain"),
    ("monitoring", ("--set", "metrics.serviceMonitor.additionalLabels=null"), "kube-prometheus-stack looks only at"),
    ("daemon-set", (), "exec daemonset/mail-gatepost"),
    ("daemon-set", (), "many pods allow many times as much"),
    ("autoscaling", (), "10 pods allow 10 times as much"),
])  # fmt: skip
def test_warned(helm, with_notes, case, words, said):
    assert said in notes(helm, with_notes, case, *words)


@pytest.mark.parametrize(("case", "words", "said"), [
    ("minimal", (), "for trials only"),
    ("minimal", (), "is less than drain"),
    ("minimal", ("--set", "terminationGracePeriodSeconds=380"), "is less than drain"),
    ("sentinel", (), "times as much"),
    ("sentinel", (), "SCRAM shows"),
    ("monitoring", (), "kube-prometheus-stack looks only at"),
    ("daemon-set", (), "Clients connect to the Service"),
    ("existing-config-secret", (), "greeted with the name of a pod"),
    ("single", (), "times as much"),
])  # fmt: skip
def test_not_warned(helm, with_notes, case, words, said):
    assert said not in notes(helm, with_notes, case, *words)
