"""The chart itself: Helm's linter, what stays the same, and use under a parent."""
import shutil

import pytest
import tools
import yaml
from conftest import CHART, MINIMAL


def test_lint(helm, case):
    ran = helm.run("lint", "--strict", CHART, "--kube-version", tools.KUBERNETES[1], "--values", CHART / "ci" / f"{case}-values.yaml")
    assert ran.returncode == 0 and "Fail:" not in ran.stderr, ran.stdout + ran.stderr


def test_the_same_twice(helm):
    """Nothing random, no time, no look into a cluster: GitOps would never come to rest."""
    for name in ("monitoring", "sentinel"):
        words = ("--values", CHART / "ci" / f"{name}-values.yaml")
        assert helm.template(*words).stdout == helm.template(*words).stdout
    texts = "".join(path.read_text() for path in (CHART / "templates").rglob("*") if path.is_file())
    for word in ("randAlpha", "genSelfSigned", "genCA", "genPrivateKey", "uuidv4", "htpasswd", "lookup ", "now ", "Capabilities"):
        assert word not in texts


def test_packed_it_is_the_same(helm, tmp_path):
    """Nothing that the templates read is left out by .helmignore."""
    packed = helm.run("package", CHART, "--destination", tmp_path)
    assert packed.returncode == 0, packed.stderr
    ran = helm.template("--values", CHART / "ci/monitoring-values.yaml", chart=next(tmp_path.glob("gatepost-*.tgz")))
    assert ran.stdout == helm.case("monitoring")


@pytest.mark.parametrize("values", ["config.session.max_errors=5", "config.session.max_errors=${MOST}", "config.tls.min_version=1.3", "config.auth.disabled_reply=525", "config.auth.guessing.per_ip=off", "config.auth.mechanisms={plain}",
                                    "config.backends.redis.timeout=1s,redis.enabled=true,redis.users=true,redis.external.addresses={redis:6379}", "listeners.submission.config.address=[::]:1587"])  # fmt: skip
def test_taken(helm, values):
    """As Gatepost takes it, or with what the chart adds."""
    ran = helm.template("--values", MINIMAL, "--set", values)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("values", ["config.upstreams[0].password=${PASSWORD}", "config.backends.redis.url=redis://me:${PASSWORD}@redis:6379/0"])
def test_a_name_of_the_environment_is_no_password(helm, values):
    ran = helm.template("--values", MINIMAL, "--set", f"config.upstreams[0].name=a,config.upstreams[0].servers={{b:25}},{values}")
    assert ran.returncode == 0, ran.stderr


@pytest.fixture
def parent(tmp_path):
    """A chart that has ours as a part of it, with a condition and a registry for all."""
    shutil.copytree(CHART, tmp_path / "parent/charts/gatepost")
    (tmp_path / "parent/Chart.yaml").write_text(yaml.safe_dump({"apiVersion": "v2", "name": "parent", "version": "1.0.0", "dependencies": [{"name": "gatepost", "version": "*", "condition": "gatepost.enabled"}]}))
    values = {"global": {"imageRegistry": "all.example.com", "imagePullSecrets": ["all"], "other": 1}, "gatepost": {"enabled": True} | yaml.safe_load(MINIMAL.read_text())}
    (tmp_path / "parent/values.yaml").write_text(yaml.safe_dump(values))
    return tmp_path / "parent"


def pod_of(text):
    return next(one for one in yaml.safe_load_all(text) if one and one["kind"] == "Deployment")["spec"]["template"]["spec"]


def test_as_a_subchart(helm, parent):
    ran = helm.template(chart=parent)
    assert ran.returncode == 0, ran.stderr
    pod = pod_of(ran.stdout)
    assert pod["containers"][0]["image"].startswith("all.example.com/gatepost:")
    assert pod["imagePullSecrets"] == [{"name": "all"}]
    # What is said for this chart wins.
    own = helm.template("--set", "gatepost.image.registry=own.example.com", chart=parent)
    assert pod_of(own.stdout)["containers"][0]["image"].startswith("own.example.com/gatepost:")


def test_as_a_subchart_that_is_off(helm, parent):
    ran = helm.template("--set", "gatepost.enabled=false", chart=parent)
    assert ran.returncode == 0 and not ran.stdout.strip(), ran.stdout + ran.stderr


def test_as_a_subchart_it_is_as_strict(helm, parent):
    ran = helm.template("--set", "gatepost.replicaCont=2", chart=parent)
    assert ran.returncode != 0 and "replicaCont" in ran.stderr
