"""What the chart promises of a pod, held by a real Gatepost: the probes, the hook, what is swapped in Secrets, and the commands of docs/kubernetes.md."""
import os
import re
import shlex
import ssl

import pytest
from conftest import CHART
from release import ALICE, BOB, DELAY, IN_REDIS, SECOND, World, users
from harness.client import Client, plain, trusting_context
from harness.process import wait_until

PAGE = (CHART.parents[2] / "docs/kubernetes.md").read_text()
pytestmark = [pytest.mark.xdist_group("live"), pytest.mark.skipif(os.getuid() != 0, reason="a pod's user, root and mounts can be had by root only")]


@pytest.fixture(scope="module")
def world(helm, gatepost, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATEPOST_BUILD", str(gatepost.parent))
        made = World(tmp_path_factory.mktemp("live"), gatepost, helm)
        yield made
        made.close()


@pytest.fixture(scope="module")
def pod(world):
    return world.pod(world.values())


def logs_in(pod, them):
    with Client(pod.tls_port, implicit_tls=True) as client:
        client.ehlo()
        return client.command(f"AUTH PLAIN {plain(*them)}").code


def within_seconds(what):
    """Two looks, a second each, and what a busy machine adds."""
    return wait_until(what, 8, 0.1)


def test_the_probes_say_that_it_is_well(pod):
    assert [pod.probe(name) for name in ("startupProbe", "livenessProbe", "readinessProbe")] == [200] * 3


def test_a_message_passes_and_nothing_but_the_socket_is_written(world, pod):
    with Client(pod.port) as client:
        client.ehlo()
        client.starttls()
        client.login(*ALICE)
        assert client.mail(b"Subject: live\r\n\r\nhello\r\n") == 250
    assert b"Subject: live" in world.sink.wait_for(1)[0]
    assert pod.exec("ls", "-A", "/run/gatepost").stdout.split() == ["admin.sock"]
    modes = pod.exec("sh", "-c", "stat -Lc '%a %u:%g' /etc/gatepost/*/*; id -u; touch /run/gatepost/.probe && rm /run/gatepost/.probe; touch /x /etc/gatepost/auth/x")
    assert set(modes.stdout.splitlines()) == {"440 0:65532", "644 0:65532", "65532"}
    assert modes.stderr.count("Read-only file system") == 2 and modes.stderr.count("\n") == 2


def test_a_new_user_logs_in(world, pod):
    assert (logs_in(pod, ALICE), logs_in(pod, BOB)) == (235, 535)
    pod.volumes["mail-users"].swap(users=users(ALICE, BOB))
    assert within_seconds(lambda: logs_in(pod, BOB) == 235)


def test_a_new_certificate_is_shown(world, pod):
    def shown():
        with Client(pod.tls_port, implicit_tls=True) as client:
            return client.socket.getpeercert(binary_form=True)

    ecdsa, other = (ssl.PEM_cert_to_DER_cert(world.pair(name)["tls.crt"].decode()) for name in ("ecdsa", "other"))
    assert shown() == ecdsa
    pod.volumes["mail-tls"].swap(**world.pair("other"))
    assert within_seconds(lambda: shown() == other)


def test_new_ticket_keys_are_used(world, pod):
    context = trusting_context()

    def session(former=None):
        """(is `former` resumed, the new session)"""
        with Client(pod.port, context=context) as client:
            client.ehlo()
            client.starttls(former)
            return client.socket.session_reused, client.socket.session

    old, new = world.ticket_keys
    of_old = session()[1]
    assert session(of_old)[0]
    pod.volumes["ticket-keys"].swap(**{"ticket-keys": new})
    assert within_seconds(lambda: not session(of_old)[0])
    of_new = session()[1]
    assert session(of_new)[0]
    pod.volumes["ticket-keys"].swap(**{"ticket-keys": old + new})
    assert within_seconds(lambda: session(of_old)[0]) and session(of_new)[0]


def test_a_new_password_of_redis_is_used(world, pod):
    up = 'gatepost_rate_limit_store_up{store="redis"} '
    assert logs_in(pod, IN_REDIS[0]) == 235 and within_seconds(lambda: f"{up}1\n" in pod.metrics())
    world.redis.command("ACL", "SETUSER", "gatepost", "resetpass", f">{SECOND}")
    world.redis.command("CLIENT", "KILL", "USER", "gatepost")
    assert wait_until(lambda: logs_in(pod, IN_REDIS[1]) == 454 and f"{up}0\n" in pod.metrics())
    assert pod.probe("readinessProbe") == 200, "an outage of Redis takes no replica out of service"
    pod.volumes["redis-password"].swap(password=SECOND.encode())
    assert within_seconds(lambda: logs_in(pod, IN_REDIS[1]) == 235)
    assert within_seconds(lambda: f"{up}1\n" in pod.metrics()), "limits are counted in Redis again"


def test_the_commands_of_the_page_work(pod):
    commands = re.findall(r"kubectl [^\n]*?exec [^\n]*?-c gatepost -- (gatepost [^;\n]+)", PAGE)
    names = {" ".join(re.findall(r"^gatepost ([a-z]+(?: [a-z]+)?)", one)) for one in commands}
    assert {"status", "who", "reload", "limits list", "bans", "check", "explain"} <= names
    for words in commands:
        ran = pod.exec(*shlex.split(words, comments=True))
        assert (ran.returncode, ran.stderr) == (0, ""), (words, ran.stdout, ran.stderr)
    assert pod.program.alive()


def test_a_configuration_of_somebody_else_is_taken_by_reload(world):
    values = world.values()
    (text,) = (one["data"]["gatepost.yaml"] for one in world.render(values, "foreign") if "gatepost.yaml" in one.get("data", {}))
    pod = world.pod(values | {"existingConfigMap": "mine", "config": {}, "networkPolicy": {"enabled": False}}, {"mine": {"gatepost.yaml": text.encode()}})

    def greeting():
        with Client(pod.port) as client:
            return client.greeting.texts[0]

    assert greeting().startswith("first.example ")
    (reload,) = set(re.findall(r"-- (gatepost reload [^;\n]+)", PAGE))
    pod.volumes["mine"].swap(**{"gatepost.yaml": text.replace("first.example", "second.example").encode()})
    ran = pod.exec(*shlex.split(reload))
    assert ran.returncode == 0 and greeting().startswith("second.example "), ran.stderr
    pod.volumes["mine"].swap(**{"gatepost.yaml": b"nonsense: 1\n"})
    ran = pod.exec(*shlex.split(reload))
    assert ran.returncode == 1 and "nonsense" in ran.stderr + ran.stdout and greeting().startswith("second.example ")


def test_the_hook_drains_and_it_ends_well(pod):
    """The last of this pod. A session holds it until the client has seen all that a probe says meanwhile."""
    with Client(pod.port) as client:
        client.ehlo()
        hook = pod.pre_stop()
        assert wait_until(lambda: pod.probe("readinessProbe") == 503, 2)
        assert pod.probe("livenessProbe") == 200
        Client(pod.port).socket.close()  # for drain.delay new ones are taken
        assert client.reply() == "421 4.3.2"
    assert hook.wait(10) == 0, hook.stdout.read()
    assert pod.program.terminate(5) == 0, pod.program.log
    assert '"level":"error"' not in pod.program.log
    pod.program.assert_no_sanitizer_report()
