"""The chart itself: Helm's linter, what is generated, what values are refused, and use under a parent."""
import shutil
import subprocess

import pytest
import tools
import yaml
from conftest import CHART

MINIMAL = CHART / "ci/minimal-values.yaml"


def test_lint(helm, case):
    ran = helm.run("lint", "--strict", CHART, "--kube-version", tools.KUBERNETES[1], "--values", CHART / "ci" / f"{case}-values.yaml")
    assert ran.returncode == 0 and "Fail:" not in ran.stderr, ran.stdout + ran.stderr


def test_what_is_generated_did_not_drift():
    ran = subprocess.run([tools.ROOT / "deploy/helm/generate", "--check"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


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


REFUSED = {
    "a key that is not there": ("replicaCont=3", "replicaCont"),
    "one further in": ("service.typ=ClusterIP", "typ"),
    "one of a listener": ("listeners.submission.ports=1", "ports"),
    "one of gatepost.yaml": ("config.upstream=1", "upstream"),
    "one deep in it": ("config.session.max_eror=3", "max_eror"),
    "one of an upstream": ("config.upstreams[0].name=a,config.upstreams[0].servers={b:25},config.upstreams[0].pool.max_idel=3", "max_idel"),
    "one of a backend of another type": ("config.backends.local.type=file,config.backends.local.url=redis://a", "url"),
    "one of a listener of gatepost.yaml": ("listeners.submission.config.require_tsl=false", "require_tsl"),
    "what the chart makes of a listener": ("listeners.submission.config.tls=none", "tls"),
    "a word that gatepost.yaml does not have": ("config.log.level=loud", "level"),
    "one that is not there yet": ("config.session.bare_newline=normalize", "bare_newline"),
    "a number out of its bounds": ("config.session.max_errors=0", "max_errors"),
    "a duration without its unit": ("config.session.command_timeout=30", "command_timeout"),
    "off without its quotes": ("config.auth.guessing.per_ip=false", "per_ip"),
    "listeners in config": ("config.listeners=1", "listeners"),
    "a word instead of a number": ("replicaCount=many", "replicaCount"),
    "a port below 1024": ("listeners.submission.port=587", "port"),
    "a service type": ("service.type=ExternalName", "type"),
    "a digest": ("image.digest=sha256:12", "digest"),
    "an address of Redis with a scheme": ("redis.external.addresses={redis://a:1}", "addresses"),
    "both scalers": ("autoscaling.enabled=true,keda.enabled=true,keda.triggers[0].type=cron", "both would set the number of pods"),
    "KEDA without triggers": ("keda.enabled=true", "keda.triggers"),
    "PROXY from nobody": ("listeners.submission.proxyProtocol.enabled=true", "trustedCIDRs"),
    "one port twice": ("listeners.submission.port=1465", "is that of"),
    "the admin port": ("listeners.submission.port=9587", "metrics.port"),
    "a listener without a port": ("listeners.other.exposedPort=25", "listeners.other.port is missing"),
    "no certificate": ("tls.existingSecret=", "which certificate"),
    "two certificates": ("tls.selfSigned.enabled=true", "another source"),
    "no users": ("auth.existingSecret=", "who knows the passwords"),
    "no upstream": ("config.upstreams=null", "where does mail go"),
    "no Redis": ("redis.enabled=true", "redis.external.addresses"),
    "users in no Redis": ("redis.users=true", "redis.enabled"),
    "another admin port": ("config.admin.address=127.0.0.1:1", "admin"),
    "a password of SQL": ("config.backends.sql.type=sasl,config.backends.sql.options.sql_passwd=secret", "a password stands in the values"),
    "a password of LDAP": ("config.backends.ldap.type=sasl,config.backends.ldap.options.ldapdb_pw=secret", "a password stands in the values"),
    "strangers at the internal Service": ("service.internal.type=LoadBalancer", "networkPolicy.internal.from"),
    "a volume twice": ("extraSecretMounts[0].name=run,extraSecretMounts[0].secretName=a,extraSecretMounts[0].mountPath=/a", "the name run is taken"),
    "two Redis": ("redis.enabled=true,redis.external.addresses={a:1,b:1}", "Sentinel"),
    "a password": ("config.upstreams[0].name=a,config.upstreams[0].servers={b:25},config.upstreams[0].password=secret", "a password stands in the values"),
    "a password of digits": ("config.upstreams[0].name=a,config.upstreams[0].servers={b:25},config.upstreams[0].password=\"12\"", "a password stands in the values"),
    "a password in a URL": ("config.backends.redis.type=redis,config.backends.redis.url=redis://me:secret@redis:6379/0", "a password stands in the values"),
    "an alert that is not there": ("metrics.prometheusRule.enabled=true,metrics.prometheusRule.disabled.GatepostUp=true", "no alert GatepostUp"),
    "both monitors": ("metrics.serviceMonitor.enabled=true,metrics.podMonitor.enabled=true", "counted twice"),
    "egress that nobody knows": ("existingConfigMap=a", "networkPolicy.extraEgress"),
    "a duration that is none": ("config.upstreams[0].name=a,config.upstreams[0].servers={b:25},config.upstreams[0].reply_timeout=soon", "reply_timeout"),
    "a duration that only the pod knows": ("config.upstreams[0].name=a,config.upstreams[0].servers={b:25},config.upstreams[0].reply_timeout=${SOON}", "no duration"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(helm, what):
    values, said = REFUSED[what]
    ran = helm.template("--values", MINIMAL, "--set", values)
    assert ran.returncode != 0 and said in ran.stderr, ran.stderr or "it was rendered"


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
