"""A real sasldb2, made by Cyrus' saslpasswd2, and the text that Berkeley DB's dump makes of it; both from Debian's packages, unpacked privately."""
import os
import subprocess

from .packages import unpack


def make_sasldb(path, users):
    """`users`: {(name, realm): password}."""
    folder, libraries = unpack("sasl2-bin")
    environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": libraries}
    for (name, realm), password in users.items():
        command = [folder / "usr/sbin/saslpasswd2", "-p", "-c", "-f", path, "-u", realm, name]
        subprocess.run(command, input=password.encode(), check=True, env=environment)


def dump_sasldb(path, *options):
    folder, libraries = unpack("db5.3-util")
    environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": libraries}
    done = subprocess.run([folder / "usr/bin/db5.3_dump", *options, path], capture_output=True, check=True, env=environment)
    return done.stdout
