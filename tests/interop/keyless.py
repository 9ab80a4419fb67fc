"""Signatures of Sigstore that no kept key made: a certificate for a moment, and a timestamp service.

The authorities are made here; `cosign` says first whether what was made is right.

As a program, it runs these checks alone.
"""

import base64
import json
import pathlib
import sys
import tempfile

from cosign import House
from notation import Ring, Subjects, accepted, plan, refused
from programs import Failed, oras
from registries import Registry, stop_on_signals
from tls import openssl

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGNER = ("dev@consign.example", "https://issuer.example")
ISSUER_V1, ISSUER_V2 = "1.3.6.1.4.1.57264.1.1", "1.3.6.1.4.1.57264.1.8"
TIMESTAMPS = """
[tsa]
default_tsa = service
[service]
serial = {folder}/serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


class Authorities:
    """Who gives certificates to signers, and who says what time it is."""

    def __init__(self, folder):
        folder.mkdir(parents=True)
        self.folder = folder
        authority = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
        self.certificate("fulcio", "/O=consign/CN=fulcio", authority)
        self.certificate("clock", "/O=consign/CN=clock", authority)
        stamping = ("basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature", "extendedKeyUsage=critical,timeStamping")
        self.certificate("tsa", "/O=consign/CN=tsa", stamping, "clock")
        self.signer("signer", *SIGNER)
        self.signer("stranger", "dev@elsewhere.example", SIGNER[1])
        (folder / "tsa.cnf").write_text(TIMESTAMPS.format(folder=folder))
        (folder / "serial").write_text("01")
        (folder / "tsa.chain.pem").write_bytes((folder / "tsa.pem").read_bytes() + (folder / "clock.pem").read_bytes())

    def certificate(self, name, subject, extensions, authority=None):
        key, pem = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        signer = ["-CA", self.folder / f"{authority}.pem", "-CAkey", self.folder / f"{authority}.key"] if authority else []
        extended = [part for extension in extensions for part in ("-addext", extension)]
        openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha256", "-days", "2"),
            *("-subj", subject, "-keyout", key, "-out", pem, *extended, *signer),
        )

    def signer(self, name, address, issuer):
        raw = ":".join(f"{byte:02x}" for byte in issuer.encode())
        extensions = (
            "basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature", "extendedKeyUsage=codeSigning",
            f"subjectAltName=critical,email:{address}", f"{ISSUER_V1}=DER:{raw}", f"{ISSUER_V2}=ASN1:UTF8String:{issuer}",
        )
        self.certificate(name, "/", extensions, "fulcio")

    def trusted_root(self, house, name="keyless.json"):
        since = "start-time=2024-01-01T00:00:00Z"
        house.cosign(
            "trusted-root", "create", "--out", house.folder / name,
            f"--fulcio=url=https://fulcio.example,certificate-chain={self.folder / 'fulcio.pem'},{since}",
            f"--tsa=url=https://tsa.example,certificate-chain={self.folder / 'tsa.chain.pem'},{since}",
        )
        return house.folder / name

    def bundle(self, digest, name="signer"):
        """A bundle about that manifest."""
        statement = {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"digest": {"sha256": digest.removeprefix("sha256:")}}],
            "predicateType": "https://sigstore.dev/cosign/sign/v1",
            "predicate": {},
        }
        kind, payload = b"application/vnd.in-toto+json", json.dumps(statement).encode()
        message, signature = self.folder / "message", self.folder / "signature"
        message.write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload))
        openssl("dgst", "-sha256", "-sign", self.folder / f"{name}.key", "-out", signature, message)
        query, reply, der = self.folder / "query", self.folder / "reply", self.folder / "signer.der"
        openssl("ts", "-query", "-data", signature, "-sha256", "-cert", "-out", query)
        openssl(
            *("ts", "-reply", "-config", self.folder / "tsa.cnf", "-section", "service", "-queryfile", query, "-out", reply),
            *("-signer", self.folder / "tsa.pem", "-inkey", self.folder / "tsa.key"),
        )
        openssl("x509", "-in", self.folder / f"{name}.pem", "-outform", "DER", "-out", der)
        text = lambda raw: base64.b64encode(raw).decode()  # noqa: E731
        return {
            "mediaType": BUNDLE,
            "verificationMaterial": {
                "certificate": {"rawBytes": text(der.read_bytes())},
                "timestampVerificationData": {"rfc3161Timestamps": [{"signedTimestamp": text(reply.read_bytes())}]},
            },
            "dsseEnvelope": {
                "payload": text(payload),
                "payloadType": kind.decode(),
                "signatures": [{"sig": text(signature.read_bytes())}],
            },
        }


def attach(subjects, reference, bundle):
    (subjects.folder / "bundle.json").write_text(json.dumps(bundle))
    oras("attach", reference, "--artifact-type", BUNDLE, f"bundle.json:{BUNDLE}", cwd=subjects.folder)


def check_step(reference, root, subject=SIGNER[0], issuer=SIGNER[1]):
    identity = {"subject": subject, "issuer": issuer, "trusted_root": str(root)}
    return {"id": "verify", "verify": {"subject": reference, "format": "cosign", "identity": identity}}


def cosign_says(house, root, reference):
    return house.run(
        "verify", "--certificate-identity", SIGNER[0], "--certificate-oidc-issuer", SIGNER[1], "--insecure-ignore-sct",
        "--insecure-ignore-tlog", "--use-signed-timestamps", "--trusted-root", root, "--allow-http-registry", reference,
    )


def checks(ring, folder):
    house = House(folder / "house")
    authorities = Authorities(folder / "authorities")
    root = authorities.trusted_root(house)
    other = Authorities(folder / "others")
    with Registry("docker-registry", folder / "registry") as registry:
        subjects = Subjects(registry, folder / "files")
        ring.check("keyless: both accept the identity, and no other", identity, folder, subjects, house, authorities, root)
        ring.check("keyless: both refuse other authorities", authority, folder, subjects, house, other, root)
        ring.check("keyless: both refuse what was tampered with", tampered, folder, subjects, house, authorities, root)


def identity(folder, subjects, house, authorities, root):
    reference = subjects.fresh()
    attach(subjects, reference, authorities.bundle(reference.split("@")[1]))
    accepted(cosign_says(house, root, reference))
    accepted(plan(folder, [check_step(reference, root)]))
    stranger = check_step(reference, root, subject="dev@elsewhere.example")
    refused(plan(folder, [stranger]), f"the signer is not trusted: `{SIGNER[0]}` made it", code=3)
    issuer = check_step(reference, root, issuer="https://other.example")
    refused(plan(folder, [issuer]), "the signer is not trusted", code=3)
    theirs = subjects.fresh()
    attach(subjects, theirs, authorities.bundle(theirs.split("@")[1], "stranger"))
    refused(plan(folder, [check_step(theirs, root)]), "`dev@elsewhere.example` made it", code=3)
    # A bundle that a key signed has no identity.
    signed = subjects.fresh()
    house.sign(signed)
    refused(plan(folder, [check_step(signed, root)]), "it was signed with a key, and has no certificate", code=3)


def authority(folder, subjects, house, other, root):
    reference = subjects.fresh()
    attach(subjects, reference, other.bundle(reference.split("@")[1]))
    if cosign_says(house, root, reference)[0] == 0:
        raise Failed("cosign accepts another authority")
    refused(plan(folder, [check_step(reference, root)]), "none of them counts", "bad signature:", code=3)


def tampered(folder, subjects, house, authorities, root):
    def flip(text):
        raw = bytearray(base64.b64decode(text))
        raw[-1] ^= 1
        return base64.b64encode(raw).decode()

    def change_signature(bundle, _):
        bundle["dsseEnvelope"]["signatures"][0]["sig"] = flip(bundle["dsseEnvelope"]["signatures"][0]["sig"])

    def no_time(bundle, _):
        del bundle["verificationMaterial"]["timestampVerificationData"]

    def other_time(bundle, other):
        bundle["verificationMaterial"]["timestampVerificationData"] = other["verificationMaterial"]["timestampVerificationData"]

    def moved(bundle, other):
        bundle["dsseEnvelope"] = other["dsseEnvelope"]
        bundle["verificationMaterial"] = other["verificationMaterial"]

    for change in (change_signature, no_time, other_time, moved):
        reference, elsewhere = subjects.fresh(), subjects.fresh()
        bundle, other = (authorities.bundle(each.split("@")[1]) for each in (reference, elsewhere))
        change(bundle, other)
        attach(subjects, reference, bundle)
        if cosign_says(house, root, reference)[0] == 0:
            raise Failed(f"cosign accepts {change.__name__}")
        refused(plan(folder, [check_step(reference, root)]), "none of them counts", "bad signature:", code=3)


def main():
    stop_on_signals()
    ring = Ring()
    with tempfile.TemporaryDirectory() as folder:
        checks(ring, pathlib.Path(folder))
    return 1 if ring.failed else 0


if __name__ == "__main__":
    sys.exit(main())
