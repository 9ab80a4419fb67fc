"""Signatures of Notary Project, each way round: what consign signs `notation` accepts, and what
`notation` signs consign does; what was tampered with neither of them does.

As a program, it runs these checks alone.
"""

import base64
import contextlib
import http.server
import json
import pathlib
import shutil
import subprocess
import sys
import threading
import time
import urllib.parse

from programs import CONSIGN, ENVIRONMENT, LIMIT, Failed, oras
from registries import TOOLS, Registry, free_port
from ring import alone
from tls import openssl

REGISTRIES = ("docker-registry", "ferro-oci-server")
KEYS = {
    "p256": ("ec", "ec_paramgen_curve:P-256"),
    "p384": ("ec", "ec_paramgen_curve:P-384"),
    "p521": ("ec", "ec_paramgen_curve:P-521"),
    "rsa2048": ("rsa", "rsa_keygen_bits:2048"),
    "rsa3072": ("rsa", "rsa_keygen_bits:3072"),
    "rsa4096": ("rsa", "rsa_keygen_bits:4096"),
}
ENVELOPES = ("jws", "cose")
AUTHORITY = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
CLOCK = ("basicConstraints=CA:FALSE", "keyUsage=critical,digitalSignature", "extendedKeyUsage=critical,timeStamping")
PAYLOAD = "application/vnd.cncf.notary.payload.v1+json"
PLUGIN = pathlib.Path(__file__).parent / "notation-interop"
SIGNER = ("basicConstraints=CA:FALSE", "keyUsage=critical,digitalSignature", "extendedKeyUsage=codeSigning")


def certificate(folder, name, extensions, key=KEYS["p256"], authority=None, common=None):
    """A key and a certificate, signed by itself or by an authority made here before."""
    algorithm, option = key
    files = folder / f"{name}.key", folder / f"{name}.pem"
    signer = ["-CA", authority[1], "-CAkey", authority[0]] if authority else []
    extended = [part for extension in extensions for part in ("-addext", extension)]
    openssl(
        *("req", "-x509", "-newkey", algorithm, "-pkeyopt", option, "-nodes", "-sha256", "-days", "2"),
        *("-subj", f"/C=US/ST=WA/O=consign/CN={common or name}"),
        *("-keyout", files[0], "-out", files[1], *extended, *signer),
    )
    return files


def chain(leaf, *authorities):
    """The chain in one file, beside the certificate of its leaf."""
    whole = leaf[1].with_suffix(".chain.pem")
    whole.write_bytes(b"".join(path.read_bytes() for path in (leaf[1], *(each[1] for each in authorities))))
    return whole


class House:
    """An authority and its signers, one for each kind of key, and somebody else of the same name."""

    def __init__(self, folder):
        folder.mkdir(parents=True)
        self.folder = folder
        self.root = certificate(folder, "root", AUTHORITY)
        self.signers = {}
        for name, key in KEYS.items():
            leaf = certificate(folder, name, SIGNER, key, self.root)
            self.signers[name] = (leaf[0], chain(leaf, self.root))
        evil = certificate(folder, "evil", AUTHORITY, common="root")
        leaf = certificate(folder, "evil-p256", SIGNER, authority=evil, common="p256")
        self.evil = (leaf[0], chain(leaf, evil))
        self.evil_root = evil
        alone = certificate(folder, "alone", SIGNER)
        self.alone = (alone[0], alone[1])


class Home:
    """notation's own folder: its keys, whom it trusts, and how strictly."""

    def __init__(self, folder, house, level="strict", override=None, stores=None, identities=("*",), scope="*", **verification):
        self.folder = folder
        notation = folder / "notation"
        notation.mkdir(parents=True)
        keys = [{"name": name, "keyPath": str(key), "certPath": str(whole)} for name, (key, whole) in house.signers.items()]
        (notation / "signingkeys.json").write_text(json.dumps({"default": "p256", "keys": keys}))
        stores = stores or {"ca:house": [house.root[1]]}
        for store, certificates in stores.items():
            kind, name = store.split(":")
            place = notation / "truststore/x509" / kind / name
            place.mkdir(parents=True)
            for path in certificates:
                shutil.copy(path, place)
        policy = {
            "name": "all",
            "registryScopes": [scope],
            "signatureVerification": {"level": level, **({"override": override} if override else {}), **verification},
            "trustStores": list(stores),
            "trustedIdentities": list(identities),
        }
        (notation / "trustpolicy.json").write_text(json.dumps({"version": "1.0", "trustPolicies": [policy]}))

    def notation(self, *arguments):
        """Exit code, and all that was said."""
        command = [TOOLS / "bin/notation", *arguments]
        own = {"XDG_CONFIG_HOME": str(self.folder), "XDG_CACHE_HOME": str(self.folder / "cache")}
        environment = {**ENVIRONMENT, **own, "NOTATION_EXPERIMENTAL": "1"}
        ended = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT
        )
        return ended.returncode, (ended.stdout + ended.stderr).decode(errors="replace")

    def verify(self, reference, *arguments):
        return self.notation("verify", "--insecure-registry", *arguments, reference)

    def sign(self, reference, *arguments):
        code, said = self.notation("sign", "--insecure-registry", *arguments, reference)
        if code != 0:
            raise Failed(f"notation sign ended with {code}:\n{said}")


def unpadded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forge(subjects, reference, signer, headers=None, target=None, drop=(), media_type="application/jose+json", edit=None):
    """A JWS signature on `reference` by the RSA key of `signer`, with headers that no signer writes."""
    key, whole = signer
    descriptor = json.loads(oras("manifest", "fetch", "--descriptor", reference))
    descriptor = {name: descriptor[name] for name in ("mediaType", "digest", "size")}
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    protected = {
        "alg": "PS256",
        "cty": PAYLOAD,
        "crit": ["io.cncf.notary.signingScheme"],
        "io.cncf.notary.signingScheme": "notary.x509",
        "io.cncf.notary.signingTime": now,
        **(headers or {}),
    }
    protected = {name: value for name, value in protected.items() if name not in drop}
    payload = {"targetArtifact": {**descriptor, **(target or {})}}
    signed = f"{unpadded(json.dumps(protected).encode())}.{unpadded(json.dumps(payload).encode())}"
    text = subjects.folder / "signed"
    text.write_text(signed)
    signature = subjects.folder / "signature"
    pss = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest")
    openssl("dgst", "-sha256", *pss, "-sign", key, "-out", signature, text)
    certificates = whole.read_text().split("-----BEGIN CERTIFICATE-----")[1:]
    x5c = ["".join(each.split("-----END")[0].split()) for each in certificates]
    protected, payload = signed.split(".")
    envelope = {
        "payload": payload,
        "protected": protected,
        "header": {"x5c": x5c},
        "signature": unpadded(signature.read_bytes()),
    }
    if edit:
        edit(envelope)
    file = subjects.folder / "envelope.json"
    file.write_text(json.dumps(envelope))
    artifact = "application/vnd.cncf.notary.signature"
    oras("attach", "--artifact-type", artifact, reference, f"{file.name}:{media_type}", cwd=subjects.folder)


class Clock:
    """A timestamp service: openssl behind HTTP."""

    def __init__(self, folder):
        folder.mkdir(parents=True)
        self.folder = folder
        self.lock = threading.Lock()
        self.root = certificate(folder, "clock-root", AUTHORITY)
        self.leaf = certificate(folder, "clock", CLOCK, authority=self.root)
        (folder / "serial").write_text("01")
        (folder / "tsa.cnf").write_text(
            "[tsa]\ndefault_tsa = t\n[t]\n"
            f"serial = {folder}/serial\nsigner_cert = {self.leaf[1]}\ncerts = {self.root[1]}\n"
            f"signer_key = {self.leaf[0]}\nsigner_digest = sha256\ndefault_policy = 1.2.3.4\n"
            "digests = sha256, sha384, sha512\naccuracy = secs:1\ness_cert_id_alg = sha256\n"
        )

    def answer(self, question):
        # Steps ask at the same time, and openssl has files.
        with self.lock:
            (self.folder / "question").write_bytes(question)
            answer = self.folder / "answer"
            openssl("ts", "-reply", "-config", self.folder / "tsa.cnf", "-queryfile", self.folder / "question", "-out", answer)
            return answer.read_bytes()


@contextlib.contextmanager
def web(answer_post=None, files=None, port=0, media_type="application/timestamp-reply"):
    """A server on loopback: what `answer_post` says to a POST, and the files of a folder. Gives its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.reply(answer_post(self.rfile.read(int(self.headers["Content-Length"]))), media_type)

        def do_GET(self):
            if files is None:
                # A short question over OCSP stands in the path.
                question = urllib.parse.unquote(self.path.lstrip("/"))
                return self.reply(answer_post(base64.b64decode(question)), media_type)
            path = files / self.path.strip("/")
            if path.is_file():
                self.reply(path.read_bytes(), "application/pkix-crl")
            else:
                self.send_error(404)

        def reply(self, body, kind):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def accepted(ended):
    code, said = ended
    if code != 0:
        raise Failed(f"it was refused, with {code}:\n{said}")
    return said


def refused(ended, *texts, code=1):
    found, said = ended
    if found != code:
        raise Failed(f"it ended with {found}, not with {code}:\n{said}")
    for text in texts:
        if text not in said:
            raise Failed(f"it does not say `{text}`:\n{said}")


def plan(folder, steps, *arguments, home=None, secrets=None, environment=None):
    """Exit code and stderr of a plan with these steps; JSON is YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "plan.yaml"
    file.write_text(json.dumps({"consign": 1, "secrets": secrets or {}, "steps": steps}))
    command = [CONSIGN, "run", file, "--progress", "plain", "--workdir", folder, *arguments]
    home = {"XDG_CONFIG_HOME": str(home.folder)} if home else {}
    environment = {**ENVIRONMENT, **home, **(environment or {})}
    ended = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT
    )
    return ended.returncode, (ended.stdout + ended.stderr).decode(errors="replace")


class Subjects:
    """Manifests to sign, each one new."""

    def __init__(self, registry, folder):
        self.registry = registry
        self.folder = folder
        folder.mkdir(parents=True)
        self.count = 0

    def fresh(self, repository="demo"):
        self.count += 1
        name = f"f{self.count}.txt"
        (self.folder / name).write_text(f"{self.folder} {self.count}")
        target = f"{self.registry.address}/{repository}:v{self.count}"
        oras("push", target, "--artifact-type", "application/vnd.consign.demo", f"{name}:text/plain", cwd=self.folder)
        return f"{self.registry.address}/{repository}@{oras('resolve', target).decode().strip()}"


def sign_step(reference, signer, **fields):
    key, whole = signer
    fields = {"subject": reference, "format": "notation", "key": str(key), "certificate_chain": str(whole), **fields}
    return {"id": "sign", "sign": fields}


def verify_step(reference, certificates, **fields):
    certificates = [str(path) for path in certificates]
    return {"id": "verify", "verify": {"subject": reference, "format": "notation", "certificates": certificates, **fields}}


def referrers(reference):
    found = json.loads(oras("discover", "--format", "json", "--depth", "1", reference)).get("referrers") or []
    return [each["digest"] for each in found]


def checks(ring, folder):
    house = House(folder / "house")
    home = Home(folder / "home", house)
    for name in REGISTRIES:
        with Registry(name, folder / name) as registry:
            registry_checks(ring, name, folder / f"{name}-work", Subjects(registry, folder / f"{name}-files"), house, home)


    with Registry(REGISTRIES[0], folder / "from") as source, Registry(REGISTRIES[1], folder / "to") as target:
        subjects = Subjects(source, folder / "between")
        ring.check("notation accepts what was promoted to another registry", between, folder, subjects, target, house, home)


def between(folder, subjects, target, house, home):
    reference = subjects.fresh()
    demand = {"format": "notation", "certificates": [str(house.root[1])]}
    to = f"{target.address}/promoted:v1"
    copy = {"id": "copy", "copy": {"from": reference, "to": to, "verify": demand}}
    accepted(plan(folder / "between-work", [sign_step(reference, house.signers["rsa2048"], envelope="cose"), copy]))
    accepted(home.verify(f"{to.rsplit(':', 1)[0]}@{reference.split('@')[1]}"))


def registry_checks(ring, name, folder, subjects, house, home):
    for key in KEYS:
        for envelope in ENVELOPES:
            what = f"{name}: {key}, {envelope}"
            ring.check(f"{what}: notation accepts what consign signed", ours, folder, subjects, house, home, key, envelope)
            ring.check(f"{what}: consign accepts what notation signed", theirs, folder, subjects, house, home, key, envelope)
    ring.check(f"{name}: user metadata is compared by both", metadata, folder, subjects, house, home)
    ring.check(f"{name}: signatures expire for both", expiry, folder, subjects, house, home)
    ring.check(f"{name}: a self-signed signer counts where it is trusted", alone, folder, subjects, house)
    ring.check(f"{name}: signing again adds nothing, `add` adds, `replace` replaces", again, folder, subjects, house, home)
    ring.check(f"{name}: what was tampered with is refused by both", tampered, folder, subjects, house, home)
    ring.check(f"{name}: a policy means the same to both", policies, folder, subjects, house)
    ring.check(f"{name}: timestamps", timestamps, folder, subjects, house)
    ring.check(f"{name}: revocation, by lists and over OCSP", revocation, folder, subjects)
    ring.check(f"{name}: an authority that vouches for the time", authorities, folder, subjects, house)
    ring.check(f"{name}: notation's own keys, and plugins", named_keys_and_plugins, folder, subjects, house)
    ring.check(f"{name}: what was promoted keeps its signatures", promoted, folder, subjects, house, home)
    ring.check(f"{name}: no key is shown", silent, folder, subjects, house)
    ring.check(f"{name}: no signature, a stranger and a moved signature are told apart", apart, folder, subjects, house)


def ours(folder, subjects, house, home, key, envelope):
    reference = subjects.fresh()
    step = sign_step(reference, house.signers[key], envelope=envelope)
    accepted(plan(folder, [step, verify_step(reference, [house.root[1]])]))
    accepted(home.verify(reference))


def theirs(folder, subjects, house, home, key, envelope):
    reference = subjects.fresh()
    # With the referrers API where there is one, and with the tag on the next key.
    tag = "true" if key.startswith("p") else "false"
    home.sign(reference, "-k", key, "--signature-format", envelope, f"--force-referrers-tag={tag}")
    accepted(home.verify(reference))
    accepted(plan(folder, [verify_step(reference, [house.root[1]])]))


def metadata(folder, subjects, house, home):
    reference = subjects.fresh()
    accepted(plan(folder, [sign_step(reference, house.signers["p256"], annotations={"build": "123"})]))
    accepted(home.verify(reference, "-m", "build=123"))
    refused(home.verify(reference, "-m", "build=124"))
    reference = subjects.fresh()
    home.sign(reference, "-m", "build=123")
    certificates = [house.root[1]]
    accepted(plan(folder, [verify_step(reference, certificates, annotations={"build": "123"})]))
    wrong = verify_step(reference, certificates, annotations={"build": "124"})
    refused(plan(folder, [wrong]), "it does not say `build: 124`: it says `123`", code=3)


def expiry(folder, subjects, house, home):
    reference = subjects.fresh()
    accepted(plan(folder, [sign_step(reference, house.signers["p256"], expiry="1h")]))
    accepted(home.verify(reference))
    reference = subjects.fresh()
    accepted(plan(folder, [sign_step(reference, house.signers["p256"], expiry="1s")]))
    check = verify_step(reference, [house.root[1]])
    # It counts for one second: asked until that is over.
    while (ended := plan(folder, [check]))[0] == 0:
        pass
    refused(ended, "expired: it counted until", code=3)
    refused(home.verify(reference))
    permissive = Home(folder / "permissive", house, level="permissive")
    accepted(permissive.verify(reference))


def alone(folder, subjects, house):
    reference = subjects.fresh()
    accepted(plan(folder, [sign_step(reference, house.alone)]))
    stranger = Home(folder / "stranger", house)
    refused(stranger.verify(reference))
    friend = Home(folder / "friend", house, stores={"ca:alone": [house.alone[1]]})
    accepted(friend.verify(reference))
    accepted(plan(folder, [verify_step(reference, [house.alone[1]])]))
    refused(plan(folder, [verify_step(reference, [house.root[1]])]), "the signer is not trusted", code=3)


def again(folder, subjects, house, home):
    reference = subjects.fresh()
    step = sign_step(reference, house.signers["p256"])
    for _ in range(3):
        accepted(plan(folder, [step]))
    first = referrers(reference)
    if len(first) != 1:
        raise Failed(f"signing three times left {first}")
    # What notation signed with the key counts as well.
    other = subjects.fresh()
    home.sign(other, "-k", "p256")
    before = referrers(other)
    accepted(plan(folder, [sign_step(other, house.signers["p256"])]))
    if referrers(other) != before:
        raise Failed("a signature that notation made was not kept")
    accepted(plan(folder, [sign_step(reference, house.signers["p256"], if_signed="add")]))
    if len(referrers(reference)) != 2:
        raise Failed("`add` did not add")
    accepted(plan(folder, [sign_step(reference, house.signers["p384"])]))
    accepted(plan(folder, [sign_step(reference, house.signers["p256"], if_signed="replace")]))
    left = referrers(reference)
    if len(left) != 2 or set(first) & set(left):
        raise Failed(f"`replace` left {left}")
    accepted(home.verify(reference))


def apart(folder, subjects, house):
    reference = subjects.fresh()
    check = verify_step(reference, [house.root[1]])
    refused(plan(folder, [check]), f"`{reference}` has no signature", code=3)
    accepted(plan(folder, [sign_step(reference, house.evil)]))
    refused(plan(folder, [check]), "none of them counts", "the signer is not trusted: `CN=p256,", code=3)
    # The signature of another manifest, copied to this one.
    other, target = subjects.fresh(), subjects.fresh()
    accepted(plan(folder, [sign_step(other, house.signers["p256"])]))
    move(subjects, other, target)
    check = verify_step(target, [house.root[1]])
    refused(plan(folder, [check]), "bad signature: it is about", code=3)


def move(subjects, source, target):
    """The envelope on `source`, attached to `target`."""
    name = target.split("@")[0]
    manifest = json.loads(oras("manifest", "fetch", f"{name}@{referrers(source)[0]}"))
    descriptor = json.loads(oras("manifest", "fetch", "--descriptor", target))
    manifest["subject"] = {key: descriptor[key] for key in ("mediaType", "digest", "size")}
    file = subjects.folder / "moved.json"
    file.write_text(json.dumps(manifest))
    oras("manifest", "push", name, file)


def tampered(folder, subjects, house, home):
    """One thing wrong in each: both refuse it, and consign says what it is."""
    signer = house.signers["rsa2048"]
    scheme, expiry = "io.cncf.notary.signingScheme", "io.cncf.notary.expiry"
    stamp = lambda seconds: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))

    def swap(envelope):
        other = json.loads(base64.urlsafe_b64decode(envelope["payload"] + "=="))
        other["targetArtifact"]["annotations"] = {"a": "b"}
        envelope["payload"] = unpadded(json.dumps(other).encode())

    def flip(envelope):
        data = bytearray(base64.urlsafe_b64decode(envelope["signature"] + "=="))
        data[9] ^= 1
        envelope["signature"] = unpadded(bytes(data))

    # What is wrong, what consign says, and whether notation refuses it as well.
    cases = [
        ("a signature byte", {"edit": flip}, "it was not signed by the key of", True),
        ("a payload byte", {"edit": swap}, "it was not signed by the key of", True),
        ("another digest", {"target": {"digest": "sha256:" + "0" * 64}}, "it is about sha256:0000", True),
        ("another size", {"target": {"size": 1}}, "not about this manifest", True),
        ("another media type", {"target": {"mediaType": "a/b"}}, "not about this manifest", True),
        ("RS256", {"headers": {"alg": "RS256"}}, "it is signed with `RS256`", True),
        ("no algorithm", {"headers": {"alg": "none"}}, "it is signed with `none`", True),
        ("ES256 of an RSA key", {"headers": {"alg": "ES256"}}, "it is signed with `ES256`", True),
        ("nothing critical", {"drop": ["crit"]}, "the header `crit` is missing", True),
        ("no signing time", {"drop": ["io.cncf.notary.signingTime"]}, "signingTime` is missing", True),
        ("an expiry that is not critical", {"headers": {expiry: stamp(3600)}}, "expiry` is not listed as critical", True),
        (
            "an expiry before the signing time",
            {"headers": {expiry: stamp(-3600), "crit": [scheme, expiry]}},
            "it expires before it was made",
            True,
        ),
        ("another content type", {"headers": {"cty": "text/plain"}}, "the header `cty`", True),
        ("another media type of the envelope", {"media_type": "text/plain"}, "an envelope of type `text/plain`", True),
        (
            "a critical attribute that nobody knows",
            {"headers": {"crit": [scheme, "io.example.x"], "io.example.x": "1"}},
            "the critical attribute `io.example.x` is not understood",
            False,
        ),
        (
            "the chain of another key",
            {"edit": lambda envelope: envelope["header"].update(x5c=certificates(house.signers["rsa3072"][1]))},
            "bad signature",
            True,
        ),
        (
            "a chain without its root",
            {"edit": lambda envelope: envelope["header"].update(x5c=envelope["header"]["x5c"][:1])},
            "the chain ends at",
            True,
        ),
        (
            "a chain upside down",
            {"edit": lambda envelope: envelope["header"].update(x5c=envelope["header"]["x5c"][::-1])},
            "the chain goes on after",
            True,
        ),
    ]
    good = subjects.fresh()
    forge(subjects, good, signer)
    accepted(home.verify(good))
    accepted(plan(folder, [verify_step(good, [house.root[1]])]))
    for what, wrong, said, is_refused in cases:
        reference = subjects.fresh()
        forge(subjects, reference, signer, **wrong)
        try:
            refused(plan(folder, [verify_step(reference, [house.root[1]])]), said, "none of them counts", code=3)
            (refused if is_refused else accepted)(home.verify(reference))
        except Failed as failure:
            raise Failed(f"{what}: {failure}") from None


def certificates(whole):
    parts = whole.read_text().split("-----BEGIN CERTIFICATE-----")[1:]
    return ["".join(each.split("-----END")[0].split()) for each in parts]


def timestamps(folder, subjects, house):
    clock = Clock(folder / "clock")
    stores = {"ca:house": [house.root[1]], "tsa:clock": [clock.root[1]]}
    home = Home(folder / "clock-home", house, stores=stores)
    check = {"timestamp_certificates": [str(clock.root[1])]}
    with web(clock.answer) as port:
        url = f"http://127.0.0.1:{port}"
        for envelope in ENVELOPES:
            reference = subjects.fresh()
            stamp = {"url": url, "certificates": [str(clock.root[1])]}
            step = sign_step(reference, house.signers["p384"], timestamp=stamp, envelope=envelope)
            accepted(plan(folder, [step]))
            accepted(home.verify(reference))
            accepted(plan(folder, [step, verify_step(reference, [house.root[1]], **check)]))
            if len(referrers(reference)) != 1:
                raise Failed("a signature with a timestamp was not kept")
            reference = subjects.fresh()
            arguments = ("--timestamp-url", url, "--timestamp-root-cert", str(clock.root[1]))
            home.sign(reference, "-k", "p256", "--signature-format", envelope, *arguments)
            accepted(plan(folder, [verify_step(reference, [house.root[1]], **check)]))
        stranger = {"url": url, "certificates": [str(house.root[1])]}
        step = sign_step(subjects.fresh(), house.signers["p256"], timestamp=stranger)
        refused(plan(folder, [step]), "is not trusted", code=1)
    reference = subjects.fresh()
    accepted(plan(folder, [sign_step(reference, house.signers["p256"])]))
    refused(home.verify(reference))
    refused(plan(folder, [verify_step(reference, [house.root[1]], **check)]), "it has no timestamp", code=3)


class Revoking:
    """An authority that says whom it has revoked, in a list and over OCSP."""

    def __init__(self, folder, lists, ocsp):
        folder.mkdir(parents=True)
        self.folder = folder
        self.root = certificate(folder, "root", AUTHORITY)
        (folder / "index.txt").write_text("")
        (folder / "crlnumber").write_text("01")
        (folder / "ca.cnf").write_text(
            f"[ca]\ndefault_ca = c\n[c]\ndatabase = {folder}/index.txt\ncrlnumber = {folder}/crlnumber\n"
            f"certificate = {self.root[1]}\nprivate_key = {self.root[0]}\ndefault_md = sha256\n"
            "default_crl_days = 1\nunique_subject = no\n"
        )
        self.signers = {}
        for name, extension in {
            "listed": f"crlDistributionPoints=URI:http://127.0.0.1:{lists}/root.crl",
            "asked": f"authorityInfoAccess=OCSP;URI:http://127.0.0.1:{ocsp}",
        }.items():
            leaf = certificate(folder, name, (*SIGNER, extension), authority=self.root)
            self.signers[name] = (leaf[0], chain(leaf, self.root))
            openssl("ca", "-config", folder / "ca.cnf", "-valid", leaf[1])
        self.list()

    def list(self):
        pem = self.folder / "list.pem"
        openssl("ca", "-config", self.folder / "ca.cnf", "-gencrl", "-out", pem)
        openssl("crl", "-in", pem, "-outform", "DER", "-out", self.folder / "root.crl")

    def revoke(self, name):
        openssl("ca", "-config", self.folder / "ca.cnf", "-revoke", self.folder / f"{name}.pem")
        self.list()

    @contextlib.contextmanager
    def responder(self, port):
        with web(self.answer, port=port, media_type="application/ocsp-response"):
            yield

    def answer(self, question):
        (self.folder / "question").write_bytes(question)
        answer, here = self.folder / "answer", self.folder
        signer = ("-rsigner", self.root[1], "-rkey", self.root[0], "-CA", self.root[1], "-ndays", "1")
        openssl("ocsp", "-index", here / "index.txt", *signer, "-reqin", here / "question", "-respout", answer)
        return answer.read_bytes()


def revocation(folder, subjects):
    files = folder / "revoking"
    ocsp = free_port()
    with web(files=files) as lists:
        authority = Revoking(files, lists, ocsp)
        home = Home(folder / "revoking-home", authority)
        references = {}
        for name, signer in authority.signers.items():
            references[name] = subjects.fresh()
            accepted(plan(folder, [sign_step(references[name], signer)]))
        check = {name: verify_step(reference, [authority.root[1]]) for name, reference in references.items()}
        accepted(home.verify(references["listed"]))
        accepted(plan(folder, [check["listed"]]))
        with authority.responder(ocsp):
            accepted(home.verify(references["asked"]))
            accepted(plan(folder, [check["asked"]]))
        refused(plan(folder, [check["asked"]]), "cannot be told", "gave no answer", code=3)
        for name in references:
            authority.revoke(name)
        with authority.responder(ocsp):
            refused(plan(folder, [check["asked"]]), "was revoked at", code=3)
            refused(home.verify(references["asked"]))
        refused(plan(folder, [check["listed"]]), "was revoked at", code=3)
        # notation keeps lists for a while: another home, another cache.
        other = Home(folder / "revoking-other", authority)
        refused(other.verify(references["listed"]))
    refused(plan(folder, [check["listed"]]), "cannot be told", "gave no answer", code=3)


def policies(folder, subjects, house):
    """One trust policy, read by both."""
    reference = subjects.fresh()
    accepted(plan(folder, [sign_step(reference, house.signers["p256"])]))
    evil = subjects.fresh()
    accepted(plan(folder, [sign_step(evil, house.evil)]))
    signer = "x509.subject: C=US, ST=WA, O=consign, CN=p256"
    other = "x509.subject: C=US, ST=WA, O=consign, CN=p384"
    for number, (fields, about, counts) in enumerate(
        [
            ({}, reference, True),
            ({}, evil, False),
            ({"identities": [signer]}, reference, True),
            ({"identities": [other]}, reference, False),
            ({"identities": [other], "level": "audit"}, reference, True),
            ({"level": "permissive"}, evil, False),
            ({"level": "audit"}, evil, True),
            ({"override": {"authenticity": "log"}}, evil, True),
            ({"stores": {"signingAuthority:house": [house.root[1]]}}, reference, False),
            ({"stores": {"ca:evil": [house.evil_root[1]]}}, evil, True),
            ({"scope": f"{subjects.registry.address}/demo"}, reference, True),
            ({"scope": f"{subjects.registry.address}/other"}, reference, None),
        ]
    ):
        home = Home(folder / f"policy-{number}", house, **fields)
        policy = str(home.folder / "notation/trustpolicy.json")
        step = {"id": "verify", "verify": {"subject": about, "format": "notation", "trust_policy": policy}}
        ended = plan(folder, [step])
        try:
            accepted(home.verify(about)) if counts else refused(home.verify(about))
            reason = "the signer is not trusted" if counts is False else "and none for `*`"
            accepted(ended) if counts else refused(ended, reason, code=3)
            # The same out of notation's own folder.
            step["verify"]["trust_policy"] = "notation"
            ended = plan(folder, [step], home=home)
            accepted(ended) if counts else refused(ended, code=3)
        except Failed as failure:
            raise Failed(f"{fields}: {failure}") from None


def authorities(folder, subjects, house):
    """An authority that signs for others and vouches for the time: one that was made by hand, and consign."""
    reference = subjects.fresh()
    scheme, stamp = "io.cncf.notary.signingScheme", "io.cncf.notary.authenticSigningTime"
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    headers = {scheme: "notary.x509.signingAuthority", stamp: now, "crit": [scheme, stamp]}
    forge(subjects, reference, house.signers["rsa2048"], headers, drop=["io.cncf.notary.signingTime"])
    references = [reference]
    for key, envelope in (("rsa3072", "jws"), ("p256", "cose")):
        references.append(subjects.fresh())
        step = sign_step(references[-1], house.signers[key], envelope=envelope, scheme="signing_authority")
        for _ in range(2):
            accepted(plan(folder, [step]))
        if len(referrers(references[-1])) != 1:
            raise Failed("a signature of an authority was not kept")
    for reference in references:
        authority(folder / "authority" / reference.rpartition(":")[2], reference, house)


def authority(folder, reference, house):
    by_files = {"format": "notation", "subject": reference, "signing_authorities": [str(house.root[1])]}
    accepted(plan(folder, [{"id": "verify", "verify": by_files}]))
    refused(plan(folder, [verify_step(reference, [house.root[1]])]), "which is no trusted signing authority", code=3)
    for number, (stores, counts) in enumerate(
        [({"signingAuthority:house": [house.root[1]]}, True), ({"ca:house": [house.root[1]]}, False)]
    ):
        home = Home(folder / f"authority-{number}", house, stores=stores)
        policy = str(home.folder / "notation/trustpolicy.json")
        step = {"id": "verify", "verify": {"subject": reference, "format": "notation", "trust_policy": policy}}
        ended = plan(folder, [step])
        accepted(home.verify(reference)) if counts else refused(home.verify(reference))
        accepted(ended) if counts else refused(ended, "which is no trusted signing authority", code=3)


def named_keys_and_plugins(folder, subjects, house):
    home = Home(folder / "plugged", house)
    place = home.folder / "notation/plugins/interop"
    place.mkdir(parents=True)
    shutil.copy(PLUGIN, place / "notation-interop")
    (place / "notation-interop").chmod(0o755)
    reference = subjects.fresh()
    named = {"id": "sign", "sign": {"subject": reference, "format": "notation", "key": "notation:rsa3072"}}
    accepted(plan(folder, [named], home=home))
    accepted(home.verify(reference))
    key, whole = house.signers["rsa2048"]
    for capability in ("RAW", "ENVELOPE"):
        config = {"key": str(key), "certificates": str(whole), "capability": capability}
        reference = subjects.fresh()
        plugin = {"name": "interop", "key_id": "k1", "config": config}
        step = {"id": "sign", "sign": {"subject": reference, "format": "notation", "plugin": plugin}}
        for _ in range(2):
            accepted(plan(folder, [step], home=home))
        if len(referrers(reference)) != 1:
            raise Failed(f"{capability}: a signature of a plugin was not kept")
        accepted(home.verify(reference))
        accepted(plan(folder, [verify_step(reference, [house.root[1]])]))
        reference = subjects.fresh()
        options = [part for name, value in config.items() for part in ("--plugin-config", f"{name}={value}")]
        home.sign(reference, "--plugin", "interop", "--id", "k1", *options)
        accepted(plan(folder, [verify_step(reference, [house.root[1]])]))
    # What asks for a plugin counts only where the plugin agrees.
    scheme, wanted = "io.cncf.notary.signingScheme", "io.cncf.notary.verificationPlugin"
    asks = {"crit": [scheme, wanted], wanted: "interop"}
    reference = subjects.fresh()
    forge(subjects, reference, house.signers["rsa2048"], asks)
    check = verify_step(reference, [house.root[1]])
    refused(plan(folder, [check]), "the plugin `interop` is not installed", code=3)
    accepted(plan(folder, [check], home=home))
    accepted(home.verify(reference))
    reference = subjects.fresh()
    forge(subjects, reference, house.signers["rsa2048"], {**asks, "io.example.refuse": "1", "crit": [*asks["crit"], "io.example.refuse"]})
    check = verify_step(reference, [house.root[1]])
    refused(plan(folder, [check], home=home), "the plugin `interop` does not accept it: I was told to refuse", code=3)
    refused(home.verify(reference))


def promoted(folder, subjects, house, home):
    """What was promoted to another repository, and to an image layout, keeps its signatures; what does not verify stays."""
    reference = subjects.fresh()
    address = subjects.registry.address
    demand = {"format": "notation", "certificates": [str(house.root[1])]}
    copy = {"id": "copy", "copy": {"from": reference, "to": f"{address}/promoted:v{subjects.count}", "verify": demand}}
    refused(plan(folder, [copy]), "has no signature", code=3)
    listed = subjects.registry.ask("GET", f"/v2/promoted/manifests/v{subjects.count}")
    if listed != 404:
        raise Failed(f"a tag was moved by a copy that said no: {listed}")
    accepted(plan(folder, [sign_step(reference, house.signers["p256"]), copy]))
    digest = reference.split("@")[1]
    accepted(home.verify(f"{address}/promoted@{digest}"))
    layout = {"id": "layout", "copy": {"from": reference, "to": f"oci-layout:layout{subjects.count}:v1"}}
    accepted(plan(folder, [layout]))
    kept = folder / f"layout{subjects.count}"
    accepted(plan(folder, [verify_step(f"oci-layout:{kept.name}:v1", [house.root[1]])]))
    # Signed in the layout itself: there notation 1.3.2 knows a signature by its config alone.
    other = sign_step(f"oci-layout:{kept.name}:v1", house.signers["p384"])
    accepted(plan(folder, [other, verify_step(f"oci-layout:{kept.name}:v1", [house.root[1]])]))
    only = Home(folder / "only", house, identities=["x509.subject: C=US, ST=WA, O=consign, CN=p384"])
    accepted(only.notation("verify", "--oci-layout", "--scope", "local/x", f"{kept}@{digest}"))
    shutil.rmtree(only.folder)


def silent(folder, subjects, house):
    """Nothing that is said shows a key."""
    key, whole = house.signers["p256"]
    body = "".join(line for line in key.read_text().splitlines() if "-----" not in line)
    reference = subjects.fresh()
    events = folder / "events.ndjson"
    steps = [
        sign_step(reference, (key, whole)),
        {**sign_step(reference, (key, house.signers["p384"][1])), "id": "mixed"},
    ]
    _, said = plan(folder, steps, "-v", "--events", str(events))
    for part in (body[:40], body[40:80]):
        if part in said or part in events.read_text():
            raise Failed("a key was shown")


if __name__ == "__main__":
    sys.exit(alone(checks))
