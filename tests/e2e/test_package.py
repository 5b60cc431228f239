"""The Debian package: built from the release build, installed in a clean root, started there as its unit says, and purged again.

It is the part `package` of tests/run, not of `e2e`: GATEPOST_BUILD names a release build.
"""
import os
import re
import shutil
import socket
import stat
import subprocess
import urllib.request

import pytest
from harness.client import Client
from harness.debian_root import ENVIRONMENT, DebianRoot, entering, make_package
from harness.process import Program, build_folder, free_port, wait_until

USER, PASSWORD = "alice@example.com", "correct horse battery"
UNIT = "/usr/lib/systemd/system/gatepost.service"
# One address of many for port 587, so that several tests and a mail server of the machine do not meet.
HOST = f"127.{os.getpid() % 200 + 20}.{os.getpid() // 200 % 250}.9"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return make_package(tmp_path_factory.mktemp("deb"))


def accounts(root):
    """Names alone: in Debian 13 it is adduser that brings shadow passwords into a clean root."""
    return {name: {line.split(":")[0] for line in root.path(name).read_text().splitlines()} for name in ("/etc/passwd", "/etc/group")}


@pytest.fixture(scope="module")
def root(tmp_path_factory, package):
    """With the package installed."""
    folder = tmp_path_factory.mktemp("clean")
    made = DebianRoot(folder, package)
    made.accounts_before = accounts(made)
    made.install(package)
    yield made
    shutil.rmtree(made.root)


def field(package, name):
    return subprocess.run(["dpkg-deb", "--field", package, name], check=True, capture_output=True, text=True).stdout.strip()


def control_files(package, folder):
    subprocess.run(["dpkg-deb", "--control", package, folder], check=True)
    return {path.name: path for path in folder.iterdir()}


def test_the_package_says_what_it_is_and_needs(package, tmp_path):
    version = re.search(r"project\(gatepost VERSION ([\d.]+)", (build_folder().parents[1] / "CMakeLists.txt").read_text()).group(1)
    assert (field(package, "Package"), field(package, "Version"), field(package, "Section")) == ("gatepost", version, "mail")
    depends = field(package, "Depends")
    for name in ("libc6 (>= ", "libssl3", "libsasl2-2", "libevent-core-2.1", "libhiredis", "libyaml-cpp0", "adduser", "libsasl2-modules"):
        assert name in depends, depends
    assert re.fullmatch(r"cli11 \(= [^ ()]+\), nlohmann-json3 \(= [^ ()]+\)", field(package, "Static-Built-Using")), "no dependency tells what is compiled in"
    control = control_files(package, tmp_path / "control")
    assert set(control) == {"control", "md5sums", "conffiles", "postinst", "prerm", "postrm"}
    for name, path in control.items():
        assert path.stat().st_mode & 0o777 == (0o755 if name in ("postinst", "prerm", "postrm") else 0o644), name
    for script in ("postinst", "prerm", "postrm"):
        subprocess.run(["sh", "-n", control[script]], check=True)
    assert control["conffiles"].read_text() == "/etc/gatepost/gatepost.yaml\n"


def test_the_package_holds_what_it_should_as_root_s(package):
    listing = subprocess.run(["dpkg-deb", "--contents", package], check=True, capture_output=True, text=True).stdout.splitlines()
    files = {}
    for line in listing:
        mode, owner, _, _, _, name = line.split(None, 5)
        assert owner == "root/root", line
        assert mode == "drwxr-xr-x" if mode.startswith("d") else mode in ("-rw-r--r--", "-rwxr-xr-x"), line
        files[name.removeprefix(".")] = mode
    expected = {"/usr/bin/gatepost", UNIT, "/usr/lib/systemd/system/gatepost.socket", "/etc/gatepost/gatepost.yaml", "/usr/share/doc/gatepost/copyright", "/usr/share/doc/gatepost/changelog.gz",
                "/usr/share/doc/gatepost/examples/gatepost.yaml", "/usr/share/gatepost/gatepost.schema.json", "/usr/share/doc/gatepost/docs/install.md"}  # fmt: skip
    assert expected <= set(files), expected - set(files)
    assert [name for name, mode in files.items() if mode == "-rwxr-xr-x"] == ["/usr/bin/gatepost"]
    assert all(name.startswith(("/usr/", "/etc/gatepost/")) for name in files if not name.endswith("/")), files


def test_it_is_installed_stripped_with_an_account_and_closed_folders(root):
    assert "not stripped" not in subprocess.run(["file", root.path("/usr/bin/gatepost")], check=True, capture_output=True, text=True).stdout
    assert root.run("gatepost", "version").stdout.startswith("gatepost")
    account = root.run("getent", "passwd", "gatepost").stdout.strip().split(":")
    assert account[5:] == ["/nonexistent", "/usr/sbin/nologin"] and int(account[2]) < 1000
    for name, mode in {"/etc/gatepost": 0o750, "/etc/gatepost/tls": 0o750, "/etc/gatepost/gatepost.yaml": 0o640, "/etc/gatepost/users": 0o640}.items():
        found = root.path(name).stat()
        assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (mode, 0, int(account[3])), name
    assert not list(root.path("/etc/systemd/system").glob("**/gatepost*")), "nothing is enabled before it is configured"


def test_the_ports_of_the_socket_unit_are_those_of_the_configuration(root):
    def both(path, pattern):
        text = root.path(path).read_text()
        return set(re.findall(rf"(?m)^ *{pattern}", text)), set(re.findall(rf"(?m)^# *{pattern}", text))

    listeners = both("/etc/gatepost/gatepost.yaml", r'address: "([^"]+:(?:587|465))"')
    assert listeners == both("/usr/lib/systemd/system/gatepost.socket", r"ListenStream=(\S+)") == ({"0.0.0.0:587", "0.0.0.0:465"}, {"[::]:587", "[::]:465"})


def configure(root, tls, upstream):
    """What the head of the shipped configuration says, and free ports."""
    done = root.run("gatepost", "check", check=False)
    assert done.returncode == 1 and set(re.findall(r"/etc/gatepost/tls/tls\.(?:crt|key)", done.stderr)) == {"/etc/gatepost/tls/tls.crt", "/etc/gatepost/tls/tls.key"}, done.stderr
    group = root.path("/etc/gatepost").stat().st_gid
    for ours, theirs in ((tls.rsa.certificate, "tls.crt"), (tls.rsa.key, "tls.key")):
        there = root.path("/etc/gatepost/tls") / theirs
        shutil.copy(ours, there)
        there.chmod(0o640)
        os.chown(there, 0, group)
    root.run("gatepost", "user", "set", USER, input=PASSWORD + "\n")
    admin = free_port()
    path = root.path("/etc/gatepost/gatepost.yaml")
    text = path.read_text()
    for before, after in {'hostname: ""': "hostname: gate.example", "0.0.0.0:587": f"{HOST}:587", "0.0.0.0:465": f"{HOST}:465", "127.0.0.1:25": f"127.0.0.1:{upstream}", "127.0.0.1:9587": f"127.0.0.1:{admin}"}.items():
        assert text.count(f'{before}"') == 1 or before.startswith("hostname"), before
        text = text.replace(before, after)
    path.write_text(text)
    return admin


class Unit:
    """The installed unit, run as systemd would: what it says of user, capabilities and folders, without systemd."""

    def __init__(self, root):
        self.root = root
        self.said = re.findall(r"(?m)^(\w+)=(.*)$", root.path(UNIT).read_text())

    def one(self, key):
        (value,) = (value for name, value in self.said if name == key)
        return value

    def command(self, key):
        capabilities = {name: ",".join(["-all", *(f"+{word.removeprefix('CAP_').lower()}" for word in self.one(name).split())]) for name in ("AmbientCapabilities", "CapabilityBoundingSet")}
        return ["setpriv", f"--reuid={self.one('User')}", f"--regid={self.one('Group')}", "--init-groups", f"--inh-caps={capabilities['AmbientCapabilities']}",
                f"--ambient-caps={capabilities['AmbientCapabilities']}", f"--bounding-set={capabilities['CapabilityBoundingSet']}", "--no-new-privs",
                *self.one(key).split()]  # fmt: skip

    def start(self, folder):
        """(the program, the socket on which it says how it is)"""
        runtime = self.root.path("/run") / self.one("RuntimeDirectory")
        runtime.mkdir(mode=int(self.one("RuntimeDirectoryMode"), 8))
        owner = self.root.run("id", "--user", self.one("User")).stdout, self.root.run("id", "--group", self.one("User")).stdout
        os.chown(runtime, *map(int, owner))
        self.root.run(*self.command("ExecStartPre"))
        notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notified.bind(f"\0gatepost-package-{os.getpid()}")
        notified.settimeout(20)
        environment = {**ENVIRONMENT, "NOTIFY_SOCKET": f"@gatepost-package-{os.getpid()}"}
        return Program(folder, "gatepost", entering(self.root.root, self.command("ExecStart")), env=environment), notified


def test_it_starts_as_the_unit_says_and_mail_passes(root, tls, make_sink, tmp_path):
    sink = make_sink()
    admin = configure(root, tls, sink.port)
    gate, notified = Unit(root).start(tmp_path)
    try:
        assert notified.recv(1000).startswith(b"READY=1\n"), gate.log

        def is_ready():
            try:
                return urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=5).status == 200
            except OSError:
                return False

        assert wait_until(is_ready, 20), gate.log
        with Client(587, host=HOST) as client:
            client.ehlo()
            client.starttls()
            client.login(USER, PASSWORD)
            assert client.mail(b"Subject: x\r\n\r\nhello\r\n") == 250
        sink.wait_for(1)
        assert root.run("gatepost", "limits", "list").returncode == 0, "root asks at the admin socket"
    finally:
        assert gate.terminate(30) == 0, gate.log
    assert not re.search(r"Z (warning|error) ", gate.log), gate.log


def test_another_installation_keeps_what_the_operator_wrote(root, package):
    path = root.path("/etc/gatepost/gatepost.yaml")
    path.write_text(path.read_text() + "# mine\n")
    users = root.path("/etc/gatepost/users").read_bytes()
    root.install(package)
    assert path.read_text().endswith("# mine\n") and root.path("/etc/gatepost/users").read_bytes() == users
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_configuration_that_the_operator_took_away_stays_away(root, package):
    path = root.path("/etc/gatepost/gatepost.yaml")
    text = path.read_bytes()
    path.unlink()
    root.install(package)
    assert not path.exists()
    path.write_bytes(text)


def enable(root, unit, target):
    """What systemctl enable does."""
    wants = root.path(f"/etc/systemd/system/{target}.wants")
    wants.mkdir(parents=True, exist_ok=True)
    (wants / unit).symlink_to(f"/usr/lib/systemd/system/{unit}")


def test_removing_keeps_the_configuration_and_purging_leaves_nothing(root):
    enable(root, "gatepost.service", "multi-user.target")
    enable(root, "gatepost.socket", "sockets.target")
    uid = root.run("id", "--user", "gatepost").stdout.strip()
    root.run("dpkg", "--remove", "gatepost")
    assert root.path("/etc/gatepost/users").exists() and not root.path("/usr/bin/gatepost").exists()
    root.run("dpkg", "--purge", "gatepost")
    left = root.run("find", "/", "-xdev", "(", "-name", "*gatepost*", "-o", "-uid", uid, ")", "-not", "-path", "/proc/*").stdout.split()
    assert left == [], left
    assert accounts(root) == root.accounts_before
