"""The first message of docs/kubernetes.md: its values, its users file and its certificate, read from the page, and a real Gatepost that serves them and passes a message on.

Further values of the page are rendered on top of these.
"""
import re
import shlex
import smtplib
import ssl
import subprocess
import sys

import pytest
import yaml
from conftest import CHART

ROOT = CHART.parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from harness.process import Program, free_port, wait_until  # noqa: E402
from harness.sink import Sink  # noqa: E402

USER, PASSWORD = "alice@example.com", "a password of the trial"
PAGE = (ROOT / "docs/kubernetes.md").read_text()
SECTION = PAGE.partition("## A first message\n")[2].partition("\n## ")[0]
VALUES, COMMANDS = re.search(r"```yaml\n(.*?)```", SECTION, re.S)[1], re.search(r"```sh\n(.*?)```", SECTION, re.S)[1]
IMAGE = "podman run --rm -i registry.example.com/mail/gatepost:0.1.0"


def command(start):
    """The one line of the page that starts so."""
    (line,) = (line for line in COMMANDS.splitlines() if line.startswith(start))
    return line


@pytest.fixture
def secrets(gatepost, tmp_path):
    """What the page makes Secrets of, made as it says."""
    line = command('echo "alice@example.com:')
    assert IMAGE in line
    for words in (line.replace(IMAGE, shlex.quote(str(gatepost.absolute()))), command("openssl req ")):
        subprocess.run(["sh", "-ec", f'password="{PASSWORD}"; {words}'], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


@pytest.fixture
def rendered(helm, tmp_path):
    (tmp_path / "mail.yaml").write_text(VALUES)
    words = shlex.split(command("helm -n mail install").partition("-f mail.yaml")[2].replace("--wait", ""))
    return helm.objects_of("--values", tmp_path / "mail.yaml", *words)


def test_its_names_are_those_of_the_release(rendered):
    names = {(one["kind"], one["metadata"]["name"]): one for one in rendered}
    deployment, service = re.search(r"exec deploy/(\S+) ", COMMANDS)[1], re.search(r"port-forward svc/(\S+) 1587:587 ", COMMANDS)[1]
    assert 587 in [port["port"] for port in names["Service", service]["spec"]["ports"]]
    volumes = names["Deployment", deployment]["spec"]["template"]["spec"]["volumes"]
    assert {one["secret"]["secretName"] for one in volumes if "secret" in one} == set(re.findall(r"create secret \w+ (\S+)", COMMANDS))


def test_the_values_of_the_page_are_values(helm, gatepost, secrets, tmp_path):
    _, *further = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    assert further
    (tmp_path / "mail.yaml").write_text(VALUES)
    for number, text in enumerate(further):
        (tmp_path / f"{number}.yaml").write_text(text)
        ran = helm.template("--values", tmp_path / "mail.yaml", "--values", tmp_path / f"{number}.yaml")
        assert ran.returncode == 0, ran.stderr
        (config,) = (one["data"]["gatepost.yaml"] for one in yaml.safe_load_all(ran.stdout) if one and "gatepost.yaml" in one.get("data", {}))
        (tmp_path / "gatepost.yaml").write_text(re.sub(r"/etc/gatepost/(auth|tls)/|/run/gatepost/", f"{secrets}/", config))
        checked = subprocess.run([gatepost, "check", "--config", tmp_path / "gatepost.yaml"], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_message_passes(gatepost, secrets, rendered, tmp_path, monkeypatch):
    monkeypatch.setenv("GATEPOST_BUILD", str(gatepost.parent))
    sink = Sink(tmp_path)
    (text,) = (one["data"]["gatepost.yaml"] for one in rendered if "gatepost.yaml" in one.get("data", {}))
    port, admin = free_port(), free_port()
    places = {"/etc/gatepost/auth/users": secrets / "users", "/etc/gatepost/tls/tls.crt": secrets / "tls.crt", "/etc/gatepost/tls/tls.key": secrets / "tls.key", "/run/gatepost/": f"{tmp_path}/",
              "*:1587": f"127.0.0.1:{port}", "*:1588": f"127.0.0.1:{free_port()}", "*:1465": f"127.0.0.1:{free_port()}", "*:9587": f"127.0.0.1:{admin}", "mta.mail.svc:25": f"127.0.0.1:{sink.port}"}  # fmt: skip
    for there, here in places.items():
        assert there in text, there
        text = text.replace(there, str(here))
    (tmp_path / "gatepost.yaml").write_text(text)
    gate = Program(tmp_path, "gatepost", [gatepost.absolute(), "serve", "--config", tmp_path / "gatepost.yaml"])
    try:
        words = ["status", "--admin", f"unix:{tmp_path}/admin.sock"]
        assert wait_until(lambda: b"mail flows" in subprocess.run([gatepost, *words], capture_output=True).stdout or not gate.alive(), 20) and gate.alive(), gate.log
        context = ssl.create_default_context(cafile=secrets / "tls.crt")
        context.check_hostname = False  # swaks does not ask either
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            client.starttls(context=context)
            client.login(USER, PASSWORD)
            client.sendmail(USER, "you@example.net", "Subject: first\r\n\r\nhello\r\n")
        assert b"Subject: first" in sink.wait_for(1)[0]
    finally:
        gate.process.terminate()
        wait_until(lambda: '"drain"' in gate.log)
        gate.terminate()  # the second ends it without drain.delay
        sink.stop()
