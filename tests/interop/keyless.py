"""Signatures of Sigstore that no kept key made: a certificate for a moment, and a log or a timestamp service that says
when.

The authorities are made here; `cosign` says first whether what was made is right.

As a program, it runs these checks alone.
"""

import base64
import json
import sys
import time

from cosign import House
from notation import Subjects, accepted, plan, refused
from programs import Failed, oras
from registries import Registry
from ring import alone
from tls import openssl
from transparency import V1, V2, CertificateLog, Log, text

REGISTRIES = ("docker-registry", "ferro-oci-server")
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGNER = ("dev@consign.example", "https://issuer.example")
ISSUER_V1, ISSUER_V2 = "1.3.6.1.4.1.57264.1.1", "1.3.6.1.4.1.57264.1.8"
SINCE = "start-time=2024-01-01T00:00:00Z"
DAY = 86_400
CERTIFYING = """
[ca]
default_ca = fulcio
[fulcio]
database = {folder}/index.txt
serial = {folder}/certified
new_certs_dir = {folder}
default_md = sha256
unique_subject = no
policy = anything
[anything]
commonName = optional
"""
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
    """Who gives certificates to signers, who says what time it is, and the logs."""

    def __init__(self, folder):
        folder.mkdir(parents=True)
        self.folder = folder
        authority = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
        self.certificate("fulcio", "/O=consign/CN=fulcio", authority)
        self.certificate("clock", "/O=consign/CN=clock", authority)
        stamping = ("basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature", "extendedKeyUsage=critical,timeStamping")
        self.certificate("tsa", "/O=consign/CN=tsa", stamping, "clock")
        (folder / "ca.cnf").write_text(CERTIFYING.format(folder=folder))
        self.logs = {version: Log(folder, version) for version in (V1, V2)}
        self.certificates = CertificateLog(folder)
        self.signer("signer", *SIGNER)
        self.signer("seen", *SIGNER, log=self.certificates)
        self.signer("seen-elsewhere", *SIGNER, log=CertificateLog(folder, "other-ctfe"))
        self.signer("late", *SIGNER, since=-2 * DAY)
        self.certificate("other-fulcio", "/O=consign/CN=fulcio", authority)
        self.signer("stranger", *SIGNER, authority="other-fulcio")
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

    def signer(self, name, address, issuer, since=-60, log=None, authority="fulcio"):
        """A signer's key, and a certificate for a day; with `log`, one that this log has seen."""
        raw = ":".join(f"{byte:02x}" for byte in issuer.encode())
        extensions = [
            "basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature", "extendedKeyUsage=codeSigning",
            f"subjectAltName=critical,email:{address}", f"{ISSUER_V1}=DER:{raw}", f"{ISSUER_V2}=ASN1:UTF8String:{issuer}",
        ]
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        openssl("req", "-new", *curve, "-subj", "/", "-keyout", self.folder / f"{name}.key", "-out", self.folder / f"{name}.csr")
        since = time.time() + since
        self.certify(name, extensions, since, authority)
        if log:
            # The log signs what the certificate says without it.
            unseen, issuer_key = self.folder / "unseen.der", self.folder / "issuer.der"
            openssl("asn1parse", "-in", self.folder / f"{name}.pem", "-strparse", "4", "-noout", "-out", unseen)
            openssl("pkey", "-in", self.folder / "fulcio.key", "-pubout", "-outform", "DER", "-out", issuer_key)
            self.certify(name, [*extensions, log.extension(unseen.read_bytes(), issuer_key.read_bytes())], since, authority)

    def certify(self, name, extensions, since, authority):
        (self.folder / "extensions").write_text("\n".join(extensions))
        (self.folder / "certified").write_text("07")
        (self.folder / "index.txt").write_text("")
        dates = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(at)) for at in (since, since + DAY)]
        openssl(
            *("ca", "-batch", "-notext", "-config", self.folder / "ca.cnf", "-extfile", self.folder / "extensions"),
            *("-startdate", dates[0], "-enddate", dates[1]),
            *("-cert", self.folder / f"{authority}.pem", "-keyfile", self.folder / f"{authority}.key"),
            *("-in", self.folder / f"{name}.csr", "-out", self.folder / f"{name}.pem"),
        )

    def trusted_root(self, house, name, clock=True, log=None, seen=False):
        asked = [f"--fulcio=url=https://fulcio.example,certificate-chain={self.folder / 'fulcio.pem'},{SINCE}"]
        if clock:
            asked.append(f"--tsa=url=https://tsa.example,certificate-chain={self.folder / 'tsa.chain.pem'},{SINCE}")
        asked += [self.logs[log].argument(SINCE)] if log else []
        asked += [self.certificates.argument(SINCE)] if seen else []
        house.cosign("trusted-root", "create", "--out", house.folder / name, *asked)
        return Root(house, house.folder / name, clock, log, seen)

    def bundle(self, digest, name="signer", clock=True, log=None, at=None):
        """A bundle about that manifest, by that signer; with a timestamp, or an entry in a log, or both."""
        statement = {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"digest": {"sha256": digest.removeprefix("sha256:")}}],
            "predicateType": "https://sigstore.dev/cosign/sign/v1",
            "predicate": {},
        }
        kind, payload = b"application/vnd.in-toto+json", json.dumps(statement).encode()
        asked, signature, der = self.folder / "message", self.folder / "signature", self.folder / "signer.der"
        message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
        asked.write_bytes(message)
        openssl("dgst", "-sha256", "-sign", self.folder / f"{name}.key", "-out", signature, asked)
        openssl("x509", "-in", self.folder / f"{name}.pem", "-outform", "DER", "-out", der)
        envelope = {
            "payload": text(payload),
            "payloadType": kind.decode(),
            "signatures": [{"sig": text(signature.read_bytes())}],
        }
        material = {"certificate": {"rawBytes": text(der.read_bytes())}}
        if log:
            pem = (self.folder / f"{name}.pem").read_bytes()
            material["tlogEntries"] = [self.logs[log].entry(envelope, message, der.read_bytes(), pem, at)]
        if clock:
            material["timestampVerificationData"] = {"rfc3161Timestamps": [{"signedTimestamp": text(self.stamp(signature))}]}
        return {"mediaType": BUNDLE, "verificationMaterial": material, "dsseEnvelope": envelope}

    def stamp(self, file):
        """What the timestamp service says of a file."""
        query, reply = self.folder / "query", self.folder / "reply"
        openssl("ts", "-query", "-data", file, "-sha256", "-cert", "-out", query)
        openssl(
            *("ts", "-reply", "-config", self.folder / "tsa.cnf", "-section", "service", "-queryfile", query, "-out", reply),
            *("-signer", self.folder / "tsa.pem", "-inkey", self.folder / "tsa.key"),
        )
        return reply.read_bytes()


class Root:
    """A trusted root, and how `cosign` is asked to go by it."""

    def __init__(self, house, file, clock, log, seen):
        self.house, self.file = house, file
        # Rekor says the time in its first version alone; where it does, cosign counts one of the two.
        self.options = [
            *(() if log else ("--insecure-ignore-tlog",)),
            *(("--use-signed-timestamps",) if clock else ()),
            *(() if seen else ("--insecure-ignore-sct",)),
        ]

    def cosign(self, reference, subject=SIGNER[0], issuer=SIGNER[1]):
        who = ("--certificate-identity", subject, "--certificate-oidc-issuer", issuer)
        return self.house.run("verify", *who, *self.options, "--trusted-root", self.file, "--allow-http-registry", reference)

    def consign(self, folder, reference, subject=SIGNER[0], issuer=SIGNER[1], **more):
        identity = {"subject": subject, "issuer": issuer, "trusted_root": str(self.file), **more}
        return plan(folder, [{"id": "verify", "verify": {"subject": reference, "format": "cosign", "identity": identity}}])


def attach(subjects, bundle_of):
    """A new manifest with a bundle, by its digest."""
    reference = subjects.fresh()
    (subjects.folder / "bundle.json").write_text(json.dumps(bundle_of(reference.split("@")[1])))
    oras("attach", reference, "--artifact-type", BUNDLE, f"bundle.json:{BUNDLE}", cwd=subjects.folder)
    return reference


# How a moment is told, and in which log, if any, the certificate was seen.
FORMS = {
    "a timestamp": {"clock": True},
    "an entry of Rekor v1": {"clock": False, "log": V1},
    "an entry of Rekor v1, and a timestamp": {"clock": True, "log": V1},
    "an entry of Rekor v2, and a timestamp": {"clock": True, "log": V2},
}


def checks(ring, folder):
    house = House(folder / "house")
    authorities = Authorities(folder / "authorities")
    others = Authorities(folder / "others")
    roots = {
        (name, seen): authorities.trusted_root(house, f"root-{number}-{seen}.json", seen=seen, **form)
        for number, (name, form) in enumerate(FORMS.items())
        for seen in (False, True)
    }
    for place in REGISTRIES:
        with Registry(place, folder / place) as registry:
            subjects = Subjects(registry, folder / f"{place}-files")
            for (name, seen), root in roots.items():
                what = f"{place}: keyless, with {name}{', in a log of certificates' if seen else ''}"
                arguments = (folder, subjects, authorities, others, root, FORMS[name], "seen" if seen else "signer")
                ring.check(f"{what}: both accept the identity, and no other", identity, *arguments)
                if seen:
                    ring.check(f"{what}: both refuse what is wrong, consign with the reason", wrong, *arguments)
            root = roots["a timestamp", False]
            ring.check(f"{place}: keyless: what a key signed has no identity", by_key, folder, subjects, house, root)


def identity(folder, subjects, authorities, others, root, form, signer):
    reference = attach(subjects, lambda digest: authorities.bundle(digest, signer, **form))
    accepted(root.cosign(reference))
    accepted(root.consign(folder, reference))
    ours = {"subject": SIGNER[0], "issuer": SIGNER[1]}
    accepted(root.consign(folder, reference, subject="dev@elsewhere.example", **{"or": [ours]}))
    for who in ({"subject": "dev@elsewhere.example"}, {"issuer": "https://other.example"}):
        refused(root.cosign(reference, **who), code=root.cosign(reference, **who)[0] or 1)
        refused(root.consign(folder, reference, **who), f"the signer is not trusted: `{SIGNER[0]}` made it, as `{SIGNER[1]}` says", code=3)


def by_key(folder, subjects, house, root):
    signed = subjects.fresh()
    house.sign(signed)
    refused(root.consign(folder, signed), "it was signed with a key, and has no certificate", code=3)


def flip(raw):
    raw = bytearray(base64.b64decode(raw))
    raw[-1] ^= 1
    return text(bytes(raw))


def change(bundle, *path):
    """One bit of what stands there."""
    place = bundle
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = flip(place[path[-1]])
    return bundle


def wrong(folder, subjects, authorities, others, root, form, signer):
    """One thing wrong in each: both refuse it, and consign says what it is."""
    clock, log = form["clock"], form.get("log")
    good = lambda digest: authorities.bundle(digest, signer, **form)  # noqa: E731
    envelope, material = "dsseEnvelope", "verificationMaterial"
    entry = (material, "tlogEntries", 0)
    stamps = (material, "timestampVerificationData", "rfc3161Timestamps")

    def other_envelope(digest):
        return {**good(digest), envelope: authorities.bundle("sha256:" + "0" * 64, signer, **form)[envelope]}

    def borrowed(digest, name):
        """The time of another signature."""
        bundle = good(digest)
        bundle[material][name] = good(digest)[material][name]
        return bundle

    def without(digest, *path):
        bundle = good(digest)
        place = bundle
        for part in path[:-1]:
            place = place[part]
        del place[path[-1]]
        return bundle

    cases = [
        ("a signature byte", lambda digest: change(good(digest), envelope, "signatures", 0, "sig"), "bad signature: "),
        ("another manifest", other_envelope, "bad signature: it is about sha256:0000"),
        ("another authority for signers", lambda digest: authorities.bundle(digest, "stranger", **form), "the signer is not trusted: its certificate is from no trusted authority"),
        ("other authorities and logs", lambda digest: others.bundle(digest, signer, **form), "bad signature: invalid "),
    ]
    if clock:
        cases += [
            ("the timestamp of another signature", lambda digest: borrowed(digest, "timestampVerificationData"), "invalid RFC 3161 timestamp"),
            ("no timestamp" if log != V1 else "", lambda digest: without(digest, material, "timestampVerificationData"), "it has no timestamp, and one is needed"),
            ("a changed timestamp", lambda digest: change(good(digest), *stamps, 0, "signedTimestamp"), "RFC 3161 timestamp"),
            ("a certificate that had expired", lambda digest: authorities.bundle(digest, "late", **form), "bad signature: its certificate did not count when it was made"),
        ]
    if log:
        cases += [
            ("no entry", lambda digest: without(digest, material, "tlogEntries"), "it is in no transparency log, and must be in one"),
            ("the entry of another signature", lambda digest: borrowed(digest, "tlogEntries"), "log entry does not match the bundle"),
            ("a broken proof", lambda digest: change(good(digest), *entry, "inclusionProof", "hashes", 0), "invalid inclusion proof"),
            ("a checkpoint of nobody", lambda digest: checkpoint(good(digest)), "invalid checkpoint"),
        ]
    if log == V1:
        set_of = (*entry, "inclusionPromise", "signedEntryTimestamp")
        old = int(time.time()) - 30 * DAY
        cases += [
            ("a changed promise", lambda digest: change(good(digest), *set_of), "invalid inclusion promise"),
            ("a root of another tree", lambda digest: change(good(digest), *entry, "inclusionProof", "rootHash"), "inclusion proof"),
            ("a time before the certificate", lambda digest: authorities.bundle(digest, signer, at=old, **form), "bad signature: its certificate did not count when it was made"),
        ]
    cases += [
        ("a certificate that no log has seen", lambda digest: authorities.bundle(digest, "signer", **form), "invalid signed certificate timestamp: "),
        ("a certificate that another log has seen", lambda digest: authorities.bundle(digest, "seen-elsewhere", **form), "invalid signed certificate timestamp: "),
    ]
    for what, made, reason in cases:
        if not what:
            continue
        reference = attach(subjects, made)
        try:
            if root.cosign(reference)[0] == 0:
                raise Failed("cosign accepts it")
            refused(root.consign(folder, reference), "none of them counts", reason, code=3)
        except Failed as failure:
            raise Failed(f"{what}: {failure}") from None


def checkpoint(bundle):
    """The checkpoint with one bit of its signature changed."""
    proof = bundle["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]
    lines = proof["checkpoint"]["envelope"].splitlines()
    dash, name, signature = lines[-1].split(" ")
    proof["checkpoint"]["envelope"] = "\n".join([*lines[:-1], f"{dash} {name} {flip(signature)}", ""])
    return bundle


if __name__ == "__main__":
    sys.exit(alone(checks))
