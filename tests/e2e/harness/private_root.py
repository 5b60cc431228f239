"""A server whose paths and accounts are compiled in, from Debian's packages, run in a root folder of its own: the machine's programs and
libraries are seen there, the packages are unpacked over it as /package, and /etc, /var, /run and /tmp belong to the test.

The mounts are in a mount namespace of the program, so they are gone with it. It needs root.
"""
import os
import pathlib
import shutil
import signal

from .packages import unpack
from .process import Program

# Without merged /usr some of these are folders, with it they are links into /usr.
OF_THE_MACHINE = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "dev", "proc")

# $1 is the root, $2 the packages, then: the folders of the machine, "--", and the command. The loader learns of the packages' libraries
# by its cache, because LD_LIBRARY_PATH does not reach a program that is setuid. /usr/libexec is the packages'
# alone. -X: no link of the machine's libraries is touched.
ENTER = """\
root=$1; mount --bind "$2" "$root/package"; shift 2
while [ "$1" != -- ]; do mount --rbind "/$1" "$root/$1"; shift; done
shift
[ ! -d "$root/package/usr/libexec" ] || mount --bind "$root/package/usr/libexec" "$root/usr/libexec"
chroot "$root" /sbin/ldconfig -X
exec chroot "$root" "$@"
"""

PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
GROUP = "root:x:0:\nmail:x:8:\nnogroup:x:65534:\n"


class PrivateRoot(Program):
    """`accounts`: {name: id} that only this root knows; `folders`: {path: owner} made before the start. `command` is said as it is
    named inside. Its log is what it says on standard error."""

    def __init__(self, folder, name, package, accounts, folders, files, command):
        assert os.getuid() == 0, f"{name} needs a root folder of its own: run the end-to-end tests as root"
        unpacked, libraries = unpack(package)
        self.root = pathlib.Path(folder) / name
        self.accounts = accounts
        for parent in [self.root.parent, *self.root.parent.parents]:  # its own users must be able to reach their files
            if parent != pathlib.Path("/") and parent.stat().st_uid == 0:
                parent.chmod(parent.stat().st_mode | 0o011)
        self.root.mkdir(mode=0o755)
        mounted = self._make_root(unpacked, libraries.split(":") if libraries else [])
        for path, owner in folders.items():
            self._make_folder(path, owner)
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)
        super().__init__(folder, name, ["unshare", "--mount", "sh", "-ec", ENTER, "sh", self.root, unpacked, *mounted, "--", *command],
                         env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})  # fmt: skip

    def _make_root(self, unpacked, libraries):
        mounted = []
        for name in OF_THE_MACHINE:
            original = pathlib.Path("/") / name
            if original.is_symlink():
                (self.root / name).symlink_to(os.readlink(original))
            elif original.is_dir():
                (self.root / name).mkdir()
                mounted.append(name)
        for name in ("package", "etc", "var", "run", "tmp"):
            (self.root / name).mkdir()
        (self.root / "tmp").chmod(0o1777)
        (self.root / "var/run").symlink_to("../run")
        etc = self.root / "etc"
        (etc / "passwd").write_text(PASSWD + "".join(f"{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n" for name, number in self.accounts.items()))
        (etc / "group").write_text(GROUP + "".join(f"{name}:x:{number}:\n" for name, number in self.accounts.items()))
        (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nshadow: files\nhosts: files\n")
        (etc / "hosts").write_text("127.0.0.1 localhost mta.example\n")
        (etc / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        places = [f"/package/{pathlib.Path(place).relative_to(unpacked)}" for place in libraries]
        of_the_machine = pathlib.Path("/etc/ld.so.conf.d")
        for place in sorted(of_the_machine.glob("*.conf")) if of_the_machine.is_dir() else []:
            places.insert(0, place.read_text().strip())
        (etc / "ld.so.conf").write_text("\n".join(places) + "\n")
        return mounted

    def _make_folder(self, path, owner, mode=0o755):
        self.root.joinpath(path).mkdir(parents=True)
        if owner:
            shutil.chown(self.root / path, self.accounts.get(owner, 0), self.accounts.get(owner, 0))

    def messages(self):
        """Delivered messages, oldest first, with their line ends as LF."""
        return [path.read_bytes() for path in sorted((self.root / "var/mail/new").glob("*"), key=lambda path: path.stat().st_mtime_ns)]

    def stop(self):
        """And whom it started: they are in its session."""
        if self.alive():
            self.terminate()
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
