"""A pod of the chart as the kubelet runs it: the rendered container with its arguments, user, volumes, probes and hook, at the paths that it names.

Its root is read-only and of a mount namespace of its own, which ends with it; the network is the machine's. It needs root.
"""
import pathlib
import subprocess
import sys
import urllib.error
import urllib.request

from conftest import CHART

sys.path.insert(0, str(CHART.parents[2] / "tests/e2e"))
from harness.process import Program, wait_until  # noqa: E402
from harness.reload import KubernetesVolume  # noqa: E402

# $1 is the root. Then folders of the machine as "/usr" "", volumes as "/etc/gatepost/auth" "its folder", emptyDirs as "/run/gatepost" "tmpfs:OPTIONS", "--", and the command.
ENTER = """\
root=$1; shift
mount --bind "$root" "$root"
cd "$root"
while [ "$1" != -- ]; do
    case $2 in
    tmpfs:*) mount -t tmpfs -o "${2#tmpfs:}" tmpfs ".$1" ;;
    *) mount --bind -o ro "${2:-$1}" ".$1" ;;
    esac
    shift 2
done
shift
mount -o remount,bind,ro "$root"
exec chroot "$root" "$@"
"""
OF_THE_MACHINE = ("usr", "bin", "sbin", "lib", "lib64", "dev", "proc")
SIZES = {"1Mi": "1m"}


class Pod:
    """`objects` are what Helm rendered; `contents` what is in the Secrets and ConfigMaps that it does not make: {name: {key: octets}}."""

    def __init__(self, folder, gatepost, objects, contents):
        self.folder, self.root = folder, folder / "root"
        self.spec = next(one for one in objects if one["kind"] == "Deployment")["spec"]["template"]["spec"]
        (self.container,) = self.spec["containers"]
        own = {one["metadata"]["name"]: {key: text.encode() for key, text in one["data"].items()} for one in objects if one["kind"] == "ConfigMap"}
        self.volumes = {}
        self.root.mkdir(mode=0o755)
        mounts = [word for pair in self._machine() for word in pair] + self._mount(own | contents) + [*self._folder("/image"), gatepost.resolve().parent]
        self.enter = ["unshare", "--mount", "sh", "-ec", ENTER, "sh", self.root, *mounts, "--"]
        self.program = None

    def _machine(self):
        for name in OF_THE_MACHINE:
            original = pathlib.Path("/") / name
            if original.is_symlink():
                (self.root / name).symlink_to(original.readlink())
            elif original.is_dir():
                yield self._folder(f"/{name}")[0], ""

    def _folder(self, path):
        (self.root / path.lstrip("/")).mkdir(parents=True)
        return [path]

    def _mount(self, contents):
        """The words for ENTER; `volumes` has those that are swapped, by the name of their Secret or ConfigMap."""
        words, group = [], self.spec["securityContext"]["fsGroup"]
        kinds = {one["name"]: one for one in self.spec["volumes"]}
        for mount in self.container["volumeMounts"]:
            kind = kinds[mount["name"]]
            words += self._folder(mount["mountPath"])
            if "emptyDir" in kind:
                assert kind["emptyDir"]["medium"] == "Memory" and not mount.get("readOnly")
                words.append(f"tmpfs:size={SIZES[kind['emptyDir']['sizeLimit']]},mode=2777,gid={group}")
                continue
            assert mount["readOnly"]
            name, mode = (kind["secret"]["secretName"], kind["secret"]["defaultMode"]) if "secret" in kind else (kind["configMap"]["name"], 0o644)
            self.volumes[name] = KubernetesVolume(self.folder / f"volume-{mount['name']}", mode, group)
            self.volumes[name].swap(**contents[name])
            words.append(self.volumes[name].folder)
        return words

    def _as_its_user(self):
        """The rights of its security contexts."""
        pod, own = self.spec["securityContext"], self.container["securityContext"]
        assert pod["runAsNonRoot"] and own == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}
        return ["setpriv", f"--reuid={pod['runAsUser']}", f"--regid={pod['runAsGroup']}", f"--groups={pod['fsGroup']}", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "env", "PATH=/image:/usr/bin"]

    def start(self):
        """Init containers, the container, and its startup probe."""
        for one in self.spec.get("initContainers", []):
            ran = subprocess.run([str(word) for word in (*self.enter, *self._as_its_user(), "gatepost", *one["args"])], capture_output=True, text=True, timeout=30)
            assert ran.returncode == 0, f"{one['name']}: {ran.stdout}{ran.stderr}"
        self.program = Program(self.folder, "gatepost", [*self.enter, *self._as_its_user(), "gatepost", *self.container["args"]])
        self.program.assert_started(wait_until(lambda: not self.program.alive() or self.probe("startupProbe") == 200, self.container["startupProbe"]["failureThreshold"]))
        return self

    def get(self, path, port, seconds):
        (number,) = (one["containerPort"] for one in self.container["ports"] if one["name"] == port)
        return urllib.request.urlopen(f"http://127.0.0.1:{number}{path}", timeout=seconds)

    def metrics(self):
        with self.get("/metrics", "admin", 5) as answer:
            return answer.read().decode()

    def probe(self, name):
        """The status that the kubelet would get; 0 where nobody answers."""
        probe = self.container[name]
        try:
            with self.get(**probe["httpGet"], seconds=probe["timeoutSeconds"]) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def exec_words(self, *words):
        return ["nsenter", f"--target={self.program.pid}", "--mount", "--root", "--wd", *self._as_its_user(), *map(str, words)]

    def exec(self, *words):
        """As `kubectl exec`."""
        return subprocess.run(self.exec_words(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)

    def pre_stop(self):
        """The hook, begun."""
        return subprocess.Popen(self.exec_words(*self.container["lifecycle"]["preStop"]["exec"]["command"]), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def kill(self):
        """As at the end of a test; `program` is None where an init container has failed."""
        if self.program and self.program.alive():
            self.program.process.kill()
            self.program.process.wait()
