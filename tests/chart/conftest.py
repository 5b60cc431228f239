"""What the tests of the chart share. Where a tool cannot be had, its tests are skipped with the reason, which .ci/run counts as a failure."""
import functools
import os
import pathlib
import subprocess
import sys

import pytest
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import tools  # noqa: E402

CHART = tools.ROOT / "deploy/helm/gatepost"
MINIMAL = CHART / "ci/minimal-values.yaml"
CASES = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml"))


def pytest_addoption(parser):
    parser.addoption("--update", action="store_true", help="write the golden files anew")
    parser.addoption("--gatepost", help="the program that checks configurations (default: of GATEPOST_BUILD, or build/debug)")


@functools.cache
def have(what, *words):
    """The tool, or why it cannot be had; asked for once."""
    try:
        return what(*words), None
    except tools.Missing as missing:
        return None, str(missing)


def tool(what, *words):
    found, missing = have(what, *words)
    if missing:
        pytest.skip(missing)
    return found


class Helm:
    """Helm, and what it made of each values file."""

    def __init__(self, path):
        self.path = path
        self.rendered = {}

    def run(self, *words, **more):
        # Helm's caches and settings stay in the build folder.
        environment = os.environ | {f"HELM_{name}_HOME": str(tools.TOOLS / "helm" / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
        return subprocess.run([str(word) for word in (self.path, *words)], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, **more)

    def template(self, *words, chart=CHART):
        return self.run("template", "mail", chart, "--namespace", "mail", "--kube-version", tools.KUBERNETES[1], *words)

    def objects_of(self, *words):
        """The objects of what must render."""
        ran = self.template(*words)
        assert ran.returncode == 0, ran.stderr
        return [one for one in yaml.safe_load_all(ran.stdout) if one]

    def case(self, name):
        """The text of a values file of ci/."""
        if name not in self.rendered:
            ran = self.template("--values", CHART / "ci" / f"{name}-values.yaml")
            assert ran.returncode == 0, ran.stderr
            self.rendered[name] = ran.stdout
        return self.rendered[name]

    def objects(self, name):
        return [one for one in yaml.safe_load_all(self.case(name)) if one]


@pytest.fixture(scope="session")
def helm():
    return Helm(tool(tools.program, "helm"))


@pytest.fixture(params=CASES)
def case(request):
    return request.param


@pytest.fixture(scope="session")
def gatepost(request):
    named = request.config.getoption("--gatepost")
    path = pathlib.Path(named) if named else pathlib.Path(os.environ.get("GATEPOST_BUILD", tools.ROOT / "build/debug")) / "gatepost"
    assert path.exists(), f"{path} is not built"
    return path
