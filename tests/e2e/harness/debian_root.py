"""Gatepost's Debian package, and a clean root of this machine's Debian release to install it in; nothing of it reaches the machine. It needs root.

What is clean is made once and kept in build/packages, with the archives of what the package depends on, and copied for each use.
"""
import contextlib
import fcntl
import os
import pathlib
import shutil
import subprocess

from .packages import ROOT
from .process import build_folder

# Mounts in a namespace of their own: gone with it. Where / is shared they must not be seen outside.
ENTER = """\
mount --make-rprivate / 2>/dev/null || true
root=$1; shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot "$root" "$@"
"""
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


def release():
    return dict(line.split("=", 1) for line in pathlib.Path("/etc/os-release").read_text().splitlines() if "=" in line)["VERSION_CODENAME"]


def entering(root, words):
    return ["unshare", "--mount", "--propagation", "unchanged", "sh", "-ec", ENTER, "sh", str(root), *map(str, words)]


def make_package(folder):
    """The .deb of the release build that is tested, in `folder`."""
    done = subprocess.run(["cpack", "--config", build_folder() / "CPackConfig.cmake", "-B", folder], capture_output=True, text=True, cwd=build_folder())
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.glob("*.deb")
    return made


@contextlib.contextmanager
def clean_root(package):
    """The one that is kept, to be copied from; nobody else makes it anew meanwhile."""
    assert os.getuid() == 0, "a root of its own needs root: run the end-to-end tests as root"
    kept = ROOT / "build/packages" / f"clean-{release()}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{kept}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        depends = subprocess.run(["dpkg-deb", "--field", package, "Depends"], check=True, capture_output=True, text=True).stdout
        stamp = kept / "var/cache/apt/depends"
        if not (stamp.exists() and stamp.read_text() == depends):
            make_root(kept, package)
            stamp.write_text(depends)
        yield kept


def make_root(kept, package):
    shutil.rmtree(kept, ignore_errors=True)
    subprocess.run(["mmdebstrap", "--quiet", "--mode=root", "--variant=apt", "--skip=cleanup/apt", "--aptopt=APT::Keep-Downloaded-Packages \"true\"", release(), kept], check=True)
    shutil.copy("/etc/resolv.conf", kept / "etc/resolv.conf")
    (kept / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")  # as every installed Debian has it
    shutil.copy(package, kept / "package.deb")
    done = subprocess.run(entering(kept, ["apt-get", "install", "-y", "--no-install-recommends", "--download-only", "/package.deb"]), env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (kept / "package.deb").unlink()


class DebianRoot:
    """A copy of the clean root at `folder`/root, with the archives at hand that installing `package` (a .deb) takes."""

    def __init__(self, folder, package):
        self.root = pathlib.Path(folder) / "root"
        with clean_root(package) as kept:
            subprocess.run(["cp", "--archive", "--reflink=auto", kept, self.root], check=True)

    def run(self, *words, check=True, **more):
        done = subprocess.run(entering(self.root, words), env=ENVIRONMENT, capture_output=True, text=True, timeout=120, **more)
        assert not check or done.returncode == 0, f"{words}:\n{done.stdout}{done.stderr}"
        return done

    def install(self, package):
        shutil.copy(package, self.root / "package.deb")
        done = self.run("apt-get", "install", "-y", "--no-install-recommends", "--reinstall", "-o", "Dpkg::Options::=--force-confold", "/package.deb")
        (self.root / "package.deb").unlink()
        return done

    def path(self, name):
        return self.root / str(name).lstrip("/")
