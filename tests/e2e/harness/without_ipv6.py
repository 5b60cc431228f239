"""Words in front of a command, which make its machine one without IPv6."""
import sys

# As "ipv6.disable=1" on the kernel's command line, or RestrictAddressFamilies= of systemd: there is no such socket (EAFNOSUPPORT).
FORGET = """
import ctypes, errno, os, platform, struct, sys
number = {"x86_64": 41, "aarch64": 198}[platform.machine()]
steps = [(0x20, 0, 0, 0), (0x15, 0, 3, number), (0x20, 0, 0, 16), (0x15, 0, 1, 10), (6, 0, 0, 0x50000 | errno.EAFNOSUPPORT), (6, 0, 0, 0x7FFF0000)]
octets = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
class Program(ctypes.Structure):
    _fields_ = [("size", ctypes.c_ushort), ("steps", ctypes.c_void_p)]
program = Program(len(steps), ctypes.addressof(octets))
prctl = ctypes.CDLL(None).prctl
assert prctl(38, 1, 0, 0, 0) == 0 and prctl(22, 2, ctypes.byref(program), 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])
"""
UNKNOWN_TO_THE_KERNEL = [sys.executable, "-c", FORGET]

# As net.ipv6.conf.all.disable_ipv6=1: there is no address. A network of its own, so it needs root, and nothing outside reaches it but by nsenter.
SWITCHED_OFF = ["unshare", "--net", "sh", "-ec", 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; ip link set lo up; exec "$@"', "sh"]
