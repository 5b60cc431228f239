"""The client's side of SASL mechanisms, written down plainly, so that a test can say each message as it likes.

Each is a generator: it yields its messages (None: it has no initial response, the server begins), is sent the challenges, and asserts
what a client must about the server's proof.
"""
import base64
import hashlib
import hmac
import os
import re
import struct


def plain(user, password):
    yield f"\0{user}\0{password}".encode()


def login(user, password):
    assert (yield None) == b"Username:"
    assert (yield user.encode()) == b"Password:"
    yield password.encode()


def cram_md5(user, password):
    challenge = yield None
    yield f"{user} {hmac.new(password.encode(), challenge, 'md5').hexdigest()}".encode()


def digest_md5(user, password, realm=None, host="localhost"):
    challenge = dict(re.findall(rb'([a-z-]+)="?([^",]*)"?', (yield None)))
    assert challenge[b"qop"] == b"auth" and b"cipher" not in challenge, "no security layers"
    realm = challenge[b"realm"].decode() if realm is None else realm
    nonce, cnonce, uri = challenge[b"nonce"].decode(), os.urandom(12).hex(), f"smtp/{host}"

    def answer(method):
        secret = hashlib.md5(f"{user}:{realm}:{password}".encode()).digest()
        first = hashlib.md5(secret + f":{nonce}:{cnonce}".encode()).hexdigest()
        second = hashlib.md5(f"{method}:{uri}".encode()).hexdigest()
        return hashlib.md5(f"{first}:{nonce}:00000001:{cnonce}:auth:{second}".encode()).hexdigest()

    named = f'realm="{realm}",' if realm else ""
    proof = yield (f'charset=utf-8,username="{user}",{named}nonce="{nonce}",nc=00000001,cnonce="{cnonce}",digest-uri="{uri}",'
                   f'response={answer("AUTHENTICATE")},qop=auth').encode()  # fmt: skip
    assert proof == f"rspauth={answer('')}".encode()
    yield b""


def scram(name, user, password, header="n,,", binding=b""):
    """`name`: sha1, sha256, sha512; `header`: "p=tls-server-end-point,," with its `binding` for a -PLUS."""
    nonce = base64.b64encode(os.urandom(18)).decode()
    bare = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={nonce}"
    first = (yield (header + bare).encode()).decode()
    whole, salt, iterations = re.fullmatch(r"r=([^,]+),s=([^,]+),i=(\d+)", first).groups()
    assert whole.startswith(nonce) and len(whole) > len(nonce)
    salted = hashlib.pbkdf2_hmac(name, password.encode(), base64.b64decode(salt), int(iterations))
    without_proof = f"c={base64.b64encode(header.encode() + binding).decode()},r={whole}"
    signed = ",".join((bare, first, without_proof)).encode()
    key = hmac.new(salted, b"Client Key", name).digest()
    signature = hmac.new(hashlib.new(name, key).digest(), signed, name).digest()
    proof = bytes(a ^ b for a, b in zip(key, signature))
    final = yield f"{without_proof},p={base64.b64encode(proof).decode()}".encode()
    server = hmac.new(hmac.new(salted, b"Server Key", name).digest(), signed, name).digest()
    assert final == b"v=" + base64.b64encode(server), "the server knows the keys too"
    yield b""


def external(user, _=None):
    yield user.encode()


def ntlm_with_no_password(user, _=None):
    """A right form with responses made of nothing: NTLM's own arithmetic is left to curl."""
    challenge = yield b"NTLMSSP\0" + struct.pack("<II", 1, 1)
    assert challenge.startswith(b"NTLMSSP\0\2")
    fields, at, head = [b"l" * 24, b"n" * 24, b"", user.encode("utf-16-le"), b""], 52, b""
    for field in fields:
        head += struct.pack("<HHI", len(field), len(field), at)
        at += len(field)
    yield b"NTLMSSP\0" + struct.pack("<I", 3) + head + b"".join(fields)


def end_point(client):
    """What tls-server-end-point binds to."""
    return hashlib.sha256(client.socket.getpeercert(binary_form=True)).digest()


def talk(client, mechanism, dialogue, instead=None):
    """The last reply to AUTH. `instead` = (number, line) says that line in place of the message of that number, from 0."""

    def line(number, message):
        if instead and instead[0] == number:
            return instead[1]
        return base64.b64encode(message).decode()

    message, number = next(dialogue), 0
    if message is None:
        reply = client.command(f"AUTH {mechanism}")
    else:
        initial = line(0, message)
        number = 1
        reply = client.command(f"AUTH {mechanism} {initial or '='}") if initial != "*" else client.command(f"AUTH {mechanism}")
        if initial == "*":
            assert reply == 334
            reply = client.command("*")
    while reply == 334:
        reply = client.command(line(number, dialogue.send(base64.b64decode(reply.texts[0]))))
        number += 1
    return reply
