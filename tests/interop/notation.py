"""What checks of signatures of Notary Project are made of: `notation` with keys and a home of its own, authorities and
services that openssl plays, and signatures that no program would make.
"""

import base64
import contextlib
import http.server
import json
import pathlib
import shutil
import subprocess
import threading
import time
import urllib.parse

from programs import CONSIGN, ENVIRONMENT, LIMIT, Failed, oras
from registries import TOOLS
from tls import openssl

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


def move(subjects, source, target):
    """The envelope on `source`, attached to `target`."""
    name = target.split("@")[0]
    manifest = json.loads(oras("manifest", "fetch", f"{name}@{referrers(source)[0]}"))
    descriptor = json.loads(oras("manifest", "fetch", "--descriptor", target))
    manifest["subject"] = {key: descriptor[key] for key in ("mediaType", "digest", "size")}
    file = subjects.folder / "moved.json"
    file.write_text(json.dumps(manifest))
    oras("manifest", "push", name, file)


def certificates(whole):
    parts = whole.read_text().split("-----BEGIN CERTIFICATE-----")[1:]
    return ["".join(each.split("-----END")[0].split()) for each in parts]
