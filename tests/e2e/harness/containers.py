"""podman and buildah with storage and settings of the test's own: nothing that the machine runs or keeps is seen or touched. It needs root.

They work without a Docker engine, without systemd and inside many a container: the chroot isolation for building, runc, the network of the
machine (no bridge, no rule of its firewall), limits as the test has them.
"""
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile

BUILD = ["--isolation", "chroot", "--network", "host"]
RUN = ["--network", "host"]


class Impossible(Exception):
    """Why there are no containers here."""


def reason(done):
    return " ".join((done.stderr or f"exit status {done.returncode}").split())[-300:]


class Containers:
    """`folder` is the test's own and becomes large; close() empties it. Raises Impossible where it cannot be."""

    def __init__(self, base_root):
        """`base_root` is a root folder; `base` names the image that is made of it."""
        if os.getuid() != 0:
            raise Impossible("containers in a storage of their own need root")
        missing = [name for name in ("podman", "buildah", "runc") if not shutil.which(name)]
        if missing:
            raise Impossible(f"not installed: {', '.join(missing)}")
        # Not below pytest's folders: the path of a socket of podman has its bounds.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gatepost-containers-"))
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self._write("storage.conf", f'[storage]\ndriver = "overlay"\ngraphroot = "{self.folder}/graph"\nrunroot = "{self.folder}/run"\n')
        self._write("containers.conf", f'[containers]\ndefault_ulimits = ["nofile={files}:{files}", "nproc=4096:4096"]\nlog_driver = "k8s-file"\n'
                                       '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n')  # fmt: skip
        self.environment = {**os.environ, "CONTAINERS_STORAGE_CONF": f"{self.folder}/storage.conf", "CONTAINERS_CONF": f"{self.folder}/containers.conf"}
        self.base = "localhost/base"
        try:
            self._import(base_root)
            self._probe()
        except BaseException:
            self.close()
            raise

    def _write(self, name, text):
        (self.folder / name).write_text(text)

    def _import(self, root):
        """As Debian's slim images are: without manuals and translations, and nothing that apt has fetched."""
        without = ["var/cache/apt/*", "var/lib/apt/lists/*", "usr/share/man/*", "usr/share/locale/*", "usr/share/info/*"]
        with subprocess.Popen(["tar", "--one-file-system", *(f"--exclude=./{name}" for name in without), "--directory", root, "--create", "."], stdout=subprocess.PIPE) as archive:
            done = self.podman("import", "--quiet", "-", self.base, stdin=archive.stdout, check=False)
        if done.returncode != 0:
            raise Impossible(f"podman cannot import an image: {reason(done)}")

    def _probe(self):
        """The least that can be built and run, so that what fails later is Gatepost's."""
        (self.folder / "context").mkdir()
        self._write("context/Containerfile", f"FROM {self.base}\nRUN true\n")
        built = self.buildah("bud", *BUILD, "--quiet", self.folder / "context", check=False)
        if built.returncode != 0:
            raise Impossible(f"buildah cannot build here: {reason(built)}")
        ran = self.podman("run", "--rm", *RUN, "--read-only", "--cap-drop=all", self.base, "true", check=False)
        if ran.returncode != 0:
            raise Impossible(f"podman cannot run here: {reason(ran)}")

    def call(self, *words, check=True, timeout=300, **more):
        more.setdefault("stdin", None if "input" in more else subprocess.DEVNULL)
        if "input" in more:
            del more["stdin"]
        done = subprocess.run([str(word) for word in words], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout, **more)
        assert not check or done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done

    def podman(self, *words, **more):
        return self.call("podman", *words, **more)

    def buildah(self, *words, **more):
        return self.call("buildah", *words, **more)

    def close(self):
        self.podman("rm", "--all", "--force", "--time", "0", check=False)
        self.buildah("rm", "--all", check=False)
        self.podman("volume", "rm", "--all", "--force", check=False)
        # What the storage is mounted on is itself.
        subprocess.run(["umount", "--quiet", "--lazy", self.folder / "graph/overlay"], check=False, capture_output=True)
        shutil.rmtree(self.folder)
