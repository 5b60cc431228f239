"""Fixtures of the end-to-end tests. `gatepost` and `sink` are one pair a test file; make_gatepost and make_sink start what a test needs alone."""
import signal
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness.certificates import Certificates  # noqa: E402
from harness.exim import Exim  # noqa: E402
from harness.gatepost import Gatepost  # noqa: E402
from harness.opensmtpd import OpenSmtpd  # noqa: E402
from harness.postfix import Postfix  # noqa: E402
from harness.redis import Redis  # noqa: E402
from harness.scripted_upstream import ScriptedUpstream  # noqa: E402
from harness.sink import Sink  # noqa: E402


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def postfix(tmp_path_factory):
    server = Postfix(tmp_path_factory.mktemp("postfix"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def exim(tmp_path_factory):
    server = Exim(tmp_path_factory.mktemp("exim"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def opensmtpd(tmp_path_factory):
    server = OpenSmtpd(tmp_path_factory.mktemp("opensmtpd"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def sink(tmp_path_factory):
    server = Sink(tmp_path_factory.mktemp("sink"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def gatepost(request, tmp_path_factory, tls, sink):
    """A file may say CHANGES = {...}: what differs from the harness's configuration."""
    server = Gatepost(tmp_path_factory.mktemp("gatepost"), tls, sink.port, getattr(request.module, "CHANGES", None))
    yield server
    server.stop()


@pytest.fixture
def make_sink(tmp_path):
    made = []

    def make(*options, **more):
        folder = tmp_path / f"sink-{len(made)}"
        folder.mkdir()
        made.append(Sink(folder, *options, **more))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def upstream():
    """A ScriptedUpstream for the test alone."""
    server = ScriptedUpstream()
    yield server
    server.stop()


@pytest.fixture
def make_gatepost(tmp_path, tls):
    made = []

    def make(upstream, changes=None, **more):
        folder = tmp_path / f"gatepost-{len(made)}"
        folder.mkdir()
        made.append(Gatepost(folder, tls, upstream, changes, **more))
        return made[-1]

    yield make
    for server in made:
        if server.process.returncode is None:
            server.stop()


@pytest.fixture
def short_folder():
    """For unix sockets: pytest's own folders may be too long for their paths."""
    with tempfile.TemporaryDirectory(prefix="gatepost-") as folder:
        yield Path(folder)


@pytest.fixture
def make_redis(tmp_path):
    """make_redis(kind=Redis, *words, **more) starts a Redis or a Sentinel; all end with the test, also one that a test has stopped (SIGSTOP)."""
    made = []

    def make(kind=Redis, *words, **more):
        folder = tmp_path / "redis"
        folder.mkdir(exist_ok=True)
        made.append(kind(folder, *words, **more))
        return made[-1]

    yield make
    for server in reversed(made):
        if server.alive():
            server.process.send_signal(signal.SIGCONT)
        server.stop()
