"""Transparency logs, made here: entries as Rekor writes them, of both versions, and certificates that a log has seen.

Nobody runs: what a log would have answered is computed. `cosign` says first whether it is right.
"""

import base64
import hashlib
import json
import struct
import time

from tls import openssl

ORIGIN = "rekor.example"
TREE = "1193050959916656506"
V1, V2 = "v1", "v2"
# An entry stands among others, so that a proof has something to prove.
OTHERS = (b"one", b"two", b"three", b"four")
INDEX = 2


def text(raw):
    return base64.b64encode(raw).decode()


def canonical(value):
    """As JCS has it: of what is written here, sorted and without spaces is all of it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def sha256(raw):
    return hashlib.sha256(raw).digest()


def prefix(length):
    """A DER length."""
    if length < 128:
        return bytes([length])
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([128 + len(digits)]) + digits


class Key:
    """The key of a log."""

    def __init__(self, folder, name, algorithm="ec"):
        self.folder, self.name, self.algorithm = folder, name, algorithm
        self.private, self.public = folder / f"{name}.key", folder / f"{name}.pub"
        curve = ("-pkeyopt", "ec_paramgen_curve:P-256") if algorithm == "ec" else ()
        openssl("genpkey", "-algorithm", algorithm, *curve, "-out", self.private)
        openssl("pkey", "-in", self.private, "-pubout", "-out", self.public)
        der = folder / f"{name}.der"
        openssl("pkey", "-in", self.private, "-pubout", "-outform", "DER", "-out", der)
        self.spki = der.read_bytes()

    def sign(self, message):
        asked, answer = self.folder / f"{self.name}.message", self.folder / f"{self.name}.signature"
        asked.write_bytes(message)
        if self.algorithm == "ec":
            openssl("dgst", "-sha256", "-sign", self.private, "-out", answer, asked)
        else:
            openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.private, "-in", asked, "-out", answer)
        return answer.read_bytes()


def tree(leaves):
    """The root over these hashes of leaves, and what proves each of them: RFC 6962."""
    if len(leaves) == 1:
        return leaves[0], [[]]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    (left, of_left), (right, of_right) = tree(leaves[:half]), tree(leaves[half:])
    proofs = [proof + [right] for proof in of_left] + [proof + [left] for proof in of_right]
    return sha256(b"\x01" + left + right), proofs


class Log:
    """A log of one version. `cosign trusted-root create` takes it as `--rekor`."""

    def __init__(self, folder, version):
        self.version = version
        self.key = Key(folder, f"rekor-{version}", "ec" if version == V1 else "ed25519")
        # Which log it is: its key, and in the second version its name as well.
        self.id = sha256(self.key.spki) if version == V1 else sha256(f"{ORIGIN}\n".encode() + b"\x01" + self.key.spki[-32:])

    def argument(self, since):
        return f"--rekor=url=https://{ORIGIN},public-key={self.key.public},{since},origin={ORIGIN}"

    def checkpoint(self, root, size):
        """A signed note."""
        origin = f"{ORIGIN} - {TREE}" if self.version == V1 else ORIGIN
        note = f"{origin}\n{size}\n{text(root)}\n"
        return f"{note}\n\u2014 {ORIGIN} {text(self.id[:4] + self.key.sign(note.encode()))}\n"

    def body(self, envelope, message, der, pem):
        (signature,) = envelope["signatures"]
        if self.version == V1:
            hashed = lambda raw: {"algorithm": "sha256", "value": sha256(raw).hex()}  # noqa: E731
            return canonical({
                "apiVersion": "0.0.1",
                "kind": "dsse",
                "spec": {
                    "envelopeHash": hashed(json.dumps(envelope).encode()),
                    "payloadHash": hashed(base64.b64decode(envelope["payload"])),
                    "signatures": [{"signature": signature["sig"], "verifier": text(pem)}],
                },
            })
        verifier = {"keyDetails": "PKIX_ECDSA_P256_SHA_256", "x509Certificate": {"rawBytes": text(der)}}
        return canonical({
            "apiVersion": "0.0.2",
            "kind": "hashedrekord",
            "spec": {
                "hashedRekordV002": {
                    "data": {"algorithm": "SHA2_256", "digest": text(sha256(message))},
                    "signature": {"content": signature["sig"], "verifier": verifier},
                }
            },
        })

    def entry(self, envelope, message, der, pem, at=None):
        """The entry of an envelope, as a bundle has it; in the first version it says when it was made."""
        body = self.body(envelope, message, der, pem)
        leaves = [sha256(b"\x00" + leaf) for leaf in (*OTHERS[:INDEX], body, *OTHERS[INDEX:])]
        root, proofs = tree(leaves)
        proof = {
            "logIndex": str(INDEX),
            "rootHash": text(root),
            "treeSize": str(len(leaves)),
            "hashes": [text(each) for each in proofs[INDEX]],
            "checkpoint": {"envelope": self.checkpoint(root, len(leaves))},
        }
        kind, version = ("dsse", "0.0.1") if self.version == V1 else ("hashedrekord", "0.0.2")
        entry = {
            "logIndex": str(INDEX),
            "logId": {"keyId": text(self.id)},
            "kindVersion": {"kind": kind, "version": version},
            "inclusionProof": proof,
            "canonicalizedBody": text(body),
        }
        if self.version == V1:
            at = int(time.time()) if at is None else at
            promise = {"body": text(body), "integratedTime": at, "logID": self.id.hex(), "logIndex": INDEX}
            signed = {"signedEntryTimestamp": text(self.key.sign(canonical(promise)))}
            entry.update(integratedTime=str(at), inclusionPromise=signed)
        return entry


class CertificateLog:
    """A log of certificates: what it has seen carries its signature. `cosign trusted-root create` takes it as `--ctfe`."""

    EXTENSION = "1.3.6.1.4.1.11129.2.4.2"

    def __init__(self, folder, name="ctfe"):
        self.key = Key(folder, name)

    def argument(self, since):
        return f"--ctfe=url=https://ctfe.example,public-key={self.key.public},{since}"

    def extension(self, unseen, issuer):
        """What a certificate says once the log has seen it. `unseen` is what is signed of it before, DER; RFC 6962, 3.2."""
        now = struct.pack(">Q", int(time.time() * 1000))
        signed = b"\x00\x00" + now + b"\x00\x01" + sha256(issuer) + len(unseen).to_bytes(3, "big") + unseen + b"\x00\x00"
        signature = self.key.sign(signed)
        stamp = b"\x00" + sha256(self.key.spki) + now + b"\x00\x00" + b"\x04\x03" + struct.pack(">H", len(signature)) + signature
        listed = struct.pack(">H", len(stamp)) + stamp
        listed = struct.pack(">H", len(listed)) + listed
        value = b"\x04" + prefix(len(listed)) + listed
        return f"{self.EXTENSION}=DER:{value.hex(':')}"
