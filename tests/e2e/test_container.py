"""The image of deploy/container: built on a clean root of this release from the package of the release build, looked into, and run as it is meant to be.

It is the part `image` of tests/run, not of `e2e`: GATEPOST_BUILD names a release build.
"""
import importlib.machinery
import importlib.util
import json
import os
import re
import smtplib
import subprocess
import urllib.request
from email.message import EmailMessage

import pytest
import yaml
from harness.client import Client, trusting_context
from harness.containers import BUILD, RUN, Containers, Impossible
from harness.debian_root import clean_root, make_package
from harness.packages import ROOT
from harness.process import Program, free_port, wait_until
from harness.sink import without_received

USER, PASSWORD = "alice@example.com", "correct horse battery"
UID = 65532
EXAMPLE, COMPOSE = (ROOT / "deploy/container" / name for name in ("gatepost.yaml", "compose.yaml"))
VALIDATOR = "cyclonedx-python-lib[json-validation]==11.12.0"
# As docs/container.md says it.
HARDENED = ["--read-only", "--cap-drop=all", "--security-opt", "no-new-privileges"]
# Other engines, and Kubernetes, have no folders that can be written all the same, as Podman has.
NOTHING_ELSE = ["--read-only-tmpfs=false"]


@pytest.fixture(scope="module")
def containers(tmp_path_factory):
    if os.getuid() != 0:
        pytest.skip("no containers here: they need root")
    package = make_package(tmp_path_factory.mktemp("deb"))
    try:
        with clean_root(package) as root:
            made = Containers(root)
    except Impossible as why:
        pytest.skip(f"no containers here: {why}")
    made.package = package
    yield made
    made.close()


@pytest.fixture(scope="module")
def image(containers, tmp_path_factory):
    containers.sbom = tmp_path_factory.mktemp("sbom") / "sbom.json"
    name = "localhost/gatepost:test"
    done = containers.call(ROOT / "deploy/container/build", "--base", containers.base, "--package", containers.package, "--tag", name, "--tag", "localhost/gatepost:also",
                           "--sbom", containers.sbom, "--", *BUILD)  # fmt: skip
    assert done.stdout.splitlines()[-1].startswith("sha256:"), done.stdout[-2000:]
    return name


@pytest.fixture(scope="module")
def bare_image(containers, image):
    """The same without any program but Gatepost: no shell, no package manager, nothing that a person could start."""
    container = containers.buildah("from", "--pull-never", image).stdout.strip()
    root = containers.buildah("mount", container).stdout.strip()
    removed = containers.call("find", *(f"{root}/usr/{folder}" for folder in ("bin", "sbin", "lib/apt", "lib/dpkg")), "-not", "-type", "d", "-not", "-name", "gatepost", "-print", "-delete").stdout
    assert f"{root}/usr/bin/bash\n" in removed and f"{root}/usr/bin/dpkg\n" in removed
    containers.buildah("commit", "--quiet", "--format", "docker", "--rm", container, "localhost/gatepost:bare")
    return "localhost/gatepost:bare"


def inside(containers, image, *words, **more):
    return containers.podman("run", "--rm", *RUN, *HARDENED, "--no-healthcheck", "--entrypoint", words[0], image, *words[1:], **more).stdout


def packages(containers, image):
    return sorted(line.split() for line in inside(containers, image, "dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Architecture}\n").splitlines())


def test_it_says_what_it_is_and_how_it_is_run(containers, image):
    (told,) = json.loads(containers.podman("image", "inspect", image).stdout)
    config, labels = told["Config"], told["Config"]["Labels"]
    assert (config["User"], config["Entrypoint"], config["Cmd"]) == (f"{UID}:{UID}", ["gatepost"], ["serve", "--config", "/etc/gatepost/gatepost.yaml"])
    assert config["StopSignal"] == "SIGTERM" and set(config["ExposedPorts"]) == {"1587/tcp", "1465/tcp", "9587/tcp"}
    assert told["HealthCheck" if "HealthCheck" in told else "Healthcheck"]["Test"] == ["CMD", "gatepost", "status"]
    version = re.search(r"project\(gatepost VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
    prefix = "org.opencontainers.image."
    assert {name: labels[prefix + name] for name in ("title", "version", "licenses", "base.name")} == {"title": "gatepost", "version": version, "licenses": "Apache-2.0", "base.name": containers.base}
    assert labels[prefix + "description"] and prefix + "revision" in labels
    assert {f"localhost/gatepost:{tag}" for tag in ("test", "also")} <= set(told["RepoTags"])
    base = json.loads(containers.podman("image", "inspect", containers.base).stdout)[0]["Size"]
    print(f"\nimage: {told['Size'] / 1e6:.0f} MB, {(told['Size'] - base) / 1e6:.1f} MB of it beyond the base")
    assert told["Size"] - base < 25e6


def test_it_holds_what_runs_and_no_more(containers, image):
    files = inside(containers, image, "find", "/", "-xdev", "-type", "f", "-printf", "%m %p\\n", check=False).splitlines()
    names = {line.split(" ", 1)[1] for line in files}
    assert "/usr/bin/gatepost" in names and "/etc/ssl/certs/ca-certificates.crt" in names
    assert any(name.endswith("/sasl2/libsasldb.so") or re.search(r"/sasl2/libsasldb\.so\.", name) for name in names), "users in sasldb"
    assert any("/sasl2/libplain.so" in name for name in names) and any("/sasl2/libscram.so" in name for name in names)
    tools = {"gcc", "g++", "cc", "c++", "ld", "as", "make", "cmake", "cpack", "ninja", "python3", "git", "dpkg-shlibdeps", "systemctl", "curl", "wget"}
    assert not {name for name in names if name.rsplit("/", 1)[-1] in tools}
    assert not [name for name in names if name.endswith((".a", ".o", ".deb", ".cpp")) or name.startswith(("/usr/include/", "/source", "/package", "/var/lib/apt/lists/", "/usr/lib/systemd/system/gatepost"))]
    assert not [line for line in files if int(line.split()[0], 8) & 0o6000], "programs that give rights"
    installed = {name for name, _, _ in packages(containers, image)}
    assert not [name for name in installed if name.endswith("-dev")] and {"ca-certificates", "libsasl2-modules", "libsasl2-modules-db"} <= installed
    print("\nnot needed, but there, as the base has them:", *sorted({"sh", "bash", "perl", "apt-get", "dpkg", "openssl"} & {name.rsplit("/", 1)[-1] for name in names}))


def test_the_bill_of_materials_lists_what_dpkg_lists(containers, image):
    bill = json.loads(containers.sbom.read_text())
    listed = sorted([part["name"], part["version"], re.search(r"[?&]arch=(\w+)", part["purl"])[1]] for part in bill["components"] if part["type"] == "library")
    assert [part for part in listed if part[2] != "source"] == packages(containers, image)
    openssl = next(part for part in bill["components"] if part["name"].startswith("libssl3"))  # libssl3t64 in Debian 13
    assert openssl["purl"].startswith(f"pkg:deb/debian/{openssl['name']}@") and openssl["purl"].endswith("&upstream=openssl"), "scanners look for the source"
    needs = {entry["ref"]: entry["dependsOn"] for entry in bill["dependencies"]}
    assert any(ref.startswith("pkg:deb/debian/libc6@") for ref in needs[openssl["bom-ref"]])
    again = inside(containers, image, "cat", "/etc/os-release", "/var/lib/dpkg/status", "/usr/share/doc/gatepost/control")
    said = subprocess.run([ROOT / "deploy/container/sbom", "--version", bill["metadata"]["component"]["version"], "-"], input=again, check=True, capture_output=True, text=True).stdout
    assert said == containers.sbom.read_text(), "the same packages, the same octets"


def test_the_bill_of_materials_lists_what_is_compiled_in(containers, image):
    """Their names are those of the packages that the program was built with, on this machine."""
    built_with = subprocess.run(["dpkg-query", "--show", "--showformat", "${source:Package} ${source:Version}\n", "libcli11-dev", "nlohmann-json3-dev"], check=True, capture_output=True, text=True).stdout
    bill = json.loads(containers.sbom.read_text())
    found = {part["name"]: part for part in bill["components"] if "arch=source" in part.get("purl", "")}
    assert sorted(f"{name} {part['version']}" for name, part in found.items()) == sorted(built_with.splitlines())
    whole = {entry["ref"]: entry["dependsOn"] for entry in bill["dependencies"]}[bill["metadata"]["component"]["bom-ref"]]
    for name, part in found.items():
        assert part["purl"].startswith(f"pkg:deb/debian/{name}@") and part["scope"] == "required" and part["bom-ref"] in whole
        assert part["evidence"]["identity"][0]["methods"][0]["value"] == "Static-Built-Using of the Debian package gatepost"


def test_the_bill_of_materials_keeps_to_its_schema(containers, image):
    tools = ROOT / "build/tools"
    for words in (["/usr/bin/python3", "-m", "venv", tools], [tools / "bin/pip", "install", "--quiet", "--disable-pip-version-check", VALIDATOR]):
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"{VALIDATOR} cannot be had from PyPI here: {done.stderr.strip()[-200:]}")
    judge = "import sys; from cyclonedx.schema import SchemaVersion as S; from cyclonedx.validation.json import JsonStrictValidator as J; sys.exit(str(J(S.V1_6).validate_str(sys.stdin.read()) or '') or 0)"

    def verdict(text):
        return subprocess.run([tools / "bin/python", "-c", judge], input=text, capture_output=True, text=True)

    text = containers.sbom.read_text()
    assert verdict(text).returncode == 0, verdict(text).stderr
    assert verdict(text.replace('"type": "library"', '"kind": "library"', 1)).returncode == 1, "it would say so"


def test_of_the_list_of_packages_only_what_is_installed_is_told():
    loader = importlib.machinery.SourceFileLoader("sbom", str(ROOT / "deploy/container/sbom"))
    sbom = importlib.util.module_from_spec(importlib.util.spec_from_loader("sbom", loader))
    loader.exec_module(sbom)
    status = """ID=debian
VERSION_ID="12"

Package: b
Status: install ok installed
Architecture: amd64
Version: 1:2.0+x~1
Source: b-source (2.0)
Depends: virtual (>= 1) | elsewhere, gone
Description: text
 Package: not one

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: a
Status: hold ok installed
Architecture: all
Version: 3
Provides: virtual (= 1)

Package: gatepost
Version: 0.1.0
Architecture: amd64
Static-Built-Using: headers (= 2.1+ds-1), c (= 1:4)
"""
    bill = sbom.bill(status, "0.1.0")
    first, second = "pkg:deb/debian/a@3?arch=all&distro=debian-12", "pkg:deb/debian/b@1%3A2.0%2Bx~1?arch=amd64&distro=debian-12&upstream=b-source%402.0"
    compiled_in = ["pkg:deb/debian/c@1%3A4?arch=source&distro=debian-12", "pkg:deb/debian/headers@2.1%2Bds-1?arch=source&distro=debian-12"]
    assert [part["bom-ref"] for part in bill["components"]] == ["operating-system", first, second, *compiled_in]
    assert {entry["ref"]: entry["dependsOn"] for entry in bill["dependencies"]}[second] == [first]
    assert sbom.bill(status, "0.1.0")["serialNumber"] == bill["serialNumber"] != sbom.bill(status.replace("Version: 3", "Version: 4"), "0.1.0")["serialNumber"]


class Gateway(Program):
    """The image, run as docs/container.md says: `volume` is for users, `more` options of podman; the ports are the machine's, since no network of its own is made."""

    def __init__(self, containers, image, more, folder, tls, upstream):
        self.containers, self.container = containers, f"gatepost-{os.getpid()}"
        self.port, self.admin_port = free_port(), free_port()
        etc = folder / "etc"
        etc.mkdir()
        etc.chmod(0o755)
        for ours, theirs in ((tls.rsa.certificate, "tls.crt"), (tls.rsa.key, "tls.key")):
            (etc / theirs).write_bytes(ours.read_bytes())
            (etc / theirs).chmod(0o640)
            os.chown(etc / theirs, 0, UID)
        # The one that is shipped, with ports and an upstream of the test.
        config = yaml.safe_load(EXAMPLE.read_text())
        for listener, port in zip(config["listeners"], (self.port, free_port())):
            listener["address"] = f"127.0.0.1:{port}"
        config["upstreams"][0]["servers"] = [f"127.0.0.1:{upstream}"]
        config["admin"]["address"] = f"127.0.0.1:{self.admin_port}"
        config["drain"] = {"delay": "0s", "timeout": "20s"}
        (etc / "gatepost.yaml").write_text(json.dumps(config))
        self.volume = f"users-{os.getpid()}"
        mounts = ["--volume", f"{etc}:/etc/gatepost:ro", "--volume", f"{self.volume}:/var/lib/gatepost", "--volume", "/run/gatepost", *more]
        super().__init__(folder, "gatepost", ["podman", "run", "--rm", "--name", self.container, *RUN, *HARDENED, *mounts, image], env=containers.environment)
        self.assert_started(wait_until(lambda: not self.alive() or self.is_ready(), 30))

    def is_ready(self):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/readyz", timeout=5).status == 200
        except OSError:
            return False

    def ask(self, *words, **more):
        """A command inside the running container."""
        return self.containers.podman("exec", "--interactive", self.container, "gatepost", *words, **more)

    def kernel_says(self):
        """What /proc has of the process inside: its status, and how its root is mounted."""
        pid = int(self.containers.podman("inspect", "--format", "{{.State.Pid}}", self.container).stdout)
        status = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines() if ":\t" in line)
        (options,) = (line.split()[5] for line in open(f"/proc/{pid}/mountinfo") if line.split()[4] == "/")
        return status, options.split(",")


def message():
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = USER, "bob@example.net", "out of a container"
    made.set_content("hello\n")
    return made


@pytest.mark.parametrize("which, more", [("image", []), ("bare_image", NOTHING_ELSE)], ids=["as documented", "without another program"])
def test_mail_passes_and_sigterm_drains(request, containers, which, more, tls, make_sink, tmp_path):
    sink = make_sink()
    gate = Gateway(containers, request.getfixturevalue(which), more, tmp_path, tls, sink.port)
    try:
        gate.ask("user", "set", USER, input=PASSWORD + "\n")
        gate.ask("reload", "--wait")  # it would look by itself, soon
        with smtplib.SMTP("127.0.0.1", gate.port, timeout=20) as client:
            client.starttls(context=trusting_context())
            client.login(USER, PASSWORD)
            client.send_message(message())
        (arrived,) = sink.wait_for(1)
        assert b"\r\nSubject: out of a container\r\n" in without_received(arrived)[1]

        status, mounted = gate.kernel_says()
        assert status["Uid"].split() == status["Gid"].split() == [str(UID)] * 4 and "ro" in mounted
        assert all(int(status[name], 16) == 0 for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")) and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
        assert "mail flows" in gate.ask("status").stdout and gate.ask("limits", "list").returncode == 0, "by the admin socket"
        assert containers.podman("healthcheck", "run", gate.container).returncode == 0

        with Client(gate.port) as client:
            client.ehlo()
            client.starttls()
            client.login(USER, PASSWORD)
            assert [client.command(line).code for line in ("MAIL FROM:<alice@example.com>", "RCPT TO:<bob@example.net>", "DATA")] == [250, 250, 354]
            client.send("Subject: half\r\n\r\nbefore\r\n")
            stopping = subprocess.Popen(["podman", "stop", "--time", "60", gate.container], env=containers.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            assert wait_until(lambda: not gate.is_ready(), 20), "SIGTERM was not heard"
            client.send("after\r\n.\r\n")
            assert client.reply() == 250
        assert gate.process.wait(30) == 0 and stopping.wait(30) == 0, gate.log
        assert sink.wait_for(2)[1].endswith(b"before\r\nafter\r\n")
    finally:
        gate.terminate(60)
        containers.podman("volume", "rm", "--force", gate.volume, check=False)
    lines = [json.loads(line) for line in gate.log.splitlines() if line.startswith("{")]
    assert [line["result"] for line in lines if line["event"] == "message"] == ["accepted"] * 2, gate.log
    assert {line["level"] for line in lines} == {"info"}, gate.log
    assert PASSWORD not in gate.log


def test_the_examples_fit_each_other_and_the_image(containers, image, tls, tmp_path):
    service = yaml.safe_load(COMPOSE.read_text())["services"]["gatepost"]
    config = yaml.safe_load(EXAMPLE.read_text())
    addresses = [listener["address"] for listener in config["listeners"]] + [config["admin"]["address"]]
    published = [port.rsplit(":", 1)[1] for port in service["ports"]]
    (told,) = json.loads(containers.podman("image", "inspect", image).stdout)
    assert [f"*:{port}" for port in published] == addresses and {f"{port}/tcp" for port in published} == set(told["Config"]["ExposedPorts"])
    assert (service["read_only"], service["cap_drop"], service["security_opt"]) == (True, ["ALL"], ["no-new-privileges:true"])
    assert service["image"] == f"gatepost:{told['Config']['Labels']['org.opencontainers.image.version']}"
    _, users, socket = (volume.split(":")[-1] for volume in service["volumes"])
    assert config["admin"]["socket"].startswith(socket + "/") and config["backends"]["local"]["path"].startswith(users + "/")
    for ours, theirs in ((EXAMPLE, "gatepost.yaml"), (tls.rsa.certificate, "tls.crt"), (tls.rsa.key, "tls.key")):
        (tmp_path / theirs).write_bytes(ours.read_bytes())
        (tmp_path / theirs).chmod(0o644)
    tmp_path.chmod(0o755)
    assert "fine" in containers.podman("run", "--rm", *RUN, *HARDENED, "--no-healthcheck", "--volume", f"{tmp_path}:/etc/gatepost:ro", image, "check").stdout


def test_it_hashes_the_password_that_it_is_given(containers, image):
    """As docs/kubernetes.md makes the first user: nothing but the record comes out."""
    done = containers.podman("run", "--rm", "-i", *RUN, image, "hash", input=PASSWORD + "\n")
    assert re.fullmatch(r"\{SCRAM-SHA-256\}10000,[^\s,]+,[^\s,]+,[^\s,]+\n", done.stdout), done.stdout


def test_without_a_configuration_it_says_so_and_ends(containers, image):
    done = containers.podman("run", "--rm", *RUN, *HARDENED, image, check=False)
    assert done.returncode == 1 and "cannot read /etc/gatepost/gatepost.yaml" in done.stderr
