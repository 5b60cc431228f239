"""An authority of the test run and certificates by it, made by the openssl command."""
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Pair:
    certificate: Path
    key: Path


class Certificates:
    """`ca` signs `rsa` and `ecdsa` (localhost, gate.example, 127.0.0.1) and `other` (other.example)."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = folder / "ca.crt"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=Gatepost test authority",
                      "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", folder / "ca.key", "-out", self.ca)  # fmt: skip
        names = "DNS:localhost,DNS:gate.example,IP:127.0.0.1"
        self.rsa = self.issue("rsa", ["rsa:2048"], names)
        self.ecdsa = self.issue("ecdsa", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], names)
        self.other = self.issue("other", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "DNS:other.example,DNS:*.other.example")

    def issue(self, name, key, alternatives):
        pair = Pair(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        request = self.folder / f"{name}.csr"
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternatives}\nbasicConstraints=critical,CA:FALSE\n")
        self._openssl("req", "-new", "-newkey", *key, "-nodes", "-subj", f"/CN={name}", "-keyout", pair.key, "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.folder / "ca.key", "-CAcreateserial", "-days", "30", "-extfile", extensions, "-out", pair.certificate)
        return pair

    def _openssl(self, *words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, cwd=self.folder)
