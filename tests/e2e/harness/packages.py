"""Programs of Debian packages that are unpacked into build/packages, never installed."""
import fcntl
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]


def unpack(*packages, alone=False):
    """(the folder that is the package's root, its LD_LIBRARY_PATH). Several pytest workers may ask at once."""
    folder = ROOT / "build" / "packages" / packages[0]
    folder.parent.mkdir(parents=True, exist_ok=True)
    tool = ROOT / "tests/tools/unpack_packages"
    with open(folder.parent / f"{packages[0]}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([tool, *(["--alone"] if alone else []), folder, *packages], check=True)
    found = subprocess.run([tool, "--libraries", folder], check=True, capture_output=True, text=True)
    return folder, found.stdout.strip()
