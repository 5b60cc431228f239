"""A GSSAPI client of SMTP that can also do what no good one does. A program of its own: it needs Kerberos' environment and python3-gssapi.

usage: gss_client.py PORT MECHANISM [layer=1|2] [authzid=NAME] [flags=integrity] [cancel=MESSAGE] [spoil=MESSAGE]
MESSAGE counts its messages from 0. Prints the server's offer of layers where there is one, and the last reply.
"""
import base64
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import gssapi  # noqa: E402
from harness.client import Client, b64  # noqa: E402

OBJECT_IDS = {"GSSAPI": "1.2.840.113554.1.2.2", "GSS-SPNEGO": "1.3.6.1.5.5.2"}
NO_CI_FLAGS = "1.2.752.43.13.29"  # GSS_KRB5_CRED_NO_CI_FLAGS_X of MIT


def messages(mechanism, options):
    """What the client says in turn; each time it is sent what the server said."""
    kind = gssapi.OID.from_int_seq(OBJECT_IDS[mechanism])
    flags = [gssapi.RequirementFlag.mutual_authentication]
    credentials = gssapi.Credentials(usage="initiate", mechs=[kind])
    if mechanism == "GSSAPI":
        flags.append(gssapi.RequirementFlag.integrity)
    elif options.get("flags") != "integrity":
        # What libsasl's client says when it wants no layer; SPNEGO would ask for integrity by itself.
        credentials = gssapi.raw.set_cred_option(gssapi.OID.from_int_seq(NO_CI_FLAGS), creds=credentials)
    context = gssapi.SecurityContext(name=gssapi.Name("smtp@localhost", gssapi.NameType.hostbased_service), mech=kind, creds=credentials, usage="initiate", flags=flags)
    token = context.step()
    while not context.complete:
        token = context.step((yield token))
    challenge = yield token or b""
    if mechanism == "GSSAPI":
        offer = context.unwrap(challenge).message
        print(f"offer {offer.hex()}")
        yield context.wrap(bytes([int(options.get("layer", 1)), 0, 0, 0]) + options.get("authzid", "").encode(), False).message
    while True:
        yield b""


def main(port, mechanism, *words):
    options = dict(word.split("=", 1) for word in words)
    dialogue = messages(mechanism, options)
    with Client(int(port), implicit_tls=True) as client:
        client.ehlo()
        said = next(dialogue)
        for number in range(10):
            text = b64(said)
            if options.get("spoil") == str(number):
                text = b64(said[:-1] + bytes([said[-1] ^ 1])) if said else b64(b"not empty")
            if options.get("cancel") == str(number):
                text = "*"
            reply = client.command(f"AUTH {mechanism} {text}" if number == 0 and text != "*" else f"AUTH {mechanism}" if number == 0 else text)
            if number == 0 and text == "*":
                reply = client.command("*")
            if reply != 334:
                print(reply)
                return
            said = dialogue.send(base64.b64decode(reply.texts[0]))


main(*sys.argv[1:])
