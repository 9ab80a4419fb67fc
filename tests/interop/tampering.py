"""What was tampered with where the other rings of signatures do not look: registries that lie, layers, timestamps of other
signatures, and what consign refuses or warns of although the others do not.

As a program, it runs these checks alone.
"""

import base64
import contextlib
import http.client
import http.server
import json
import shutil
import subprocess
import sys
import threading

import cosign
import notation
from notation import accepted, forge, move, plan, referrers, refused, sign_step, verify_step
from programs import CONSIGN, ENVIRONMENT, LIMIT, Failed, oras, run
from registries import TOOLS, Registry
from ring import alone

SIGNED = "application/vnd.cncf.notary.signature"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def checks(ring, folder):
    keys = cosign.House(folder / "keys")
    house = notation.House(folder / "house")
    home = notation.Home(folder / "home", house)
    with Registry("docker-registry", folder / "registry") as registry:
        subjects = notation.Subjects(registry, folder / "files")
        arguments = (folder / "work", subjects, house, home, keys)
        ring.check("a registry that hands out another envelope or manifest is caught by all", lying, *arguments)
        ring.check("notation: a moved signature, a layer too many and another encoding are refused by both", envelopes, *arguments)
        ring.check("notation: the timestamp of another signature is refused by both", borrowed_time, *arguments)
        ring.check("notation: a manifest that names other certificates is refused by consign", thumbprints, *arguments)
        ring.check("cosign: another layer, a layer too many and another encoding are refused by both", bundles, *arguments)
        ring.check("cosign: a signature that was made for another repository is told", elsewhere, *arguments)
        ring.check("nothing that is said, kept or handed on shows a key or a password", silent, *arguments)


def there(registry, method, target, body=None, headers=()):
    """What the registry itself answers: status, headers and body."""
    connection = http.client.HTTPConnection(registry.address)
    connection.request(method, target, body, {name: value for name, value in headers if name.lower() != "host"})
    answer = connection.getresponse()
    return answer.status, answer.getheaders(), answer.read()


@contextlib.contextmanager
def liar(registry, digest):
    """In front of a registry: one bit of whatever has that digest is another one. Gives its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, answer = there(registry, self.command, self.path, body or None, self.headers.items())
            if status == 200 and self.path.endswith(digest) and answer:
                # Inside of the text, so that it stays what it looks like.
                at = len(answer) // 2
                answer = answer[:at] + bytes([answer[at] ^ 1]) + answer[at + 1 :]
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, value)
            length = dict((name.lower(), value) for name, value in headers).get("content-length", len(answer))
            self.send_header("Content-Length", str(length if self.command == "HEAD" else len(answer)))
            self.end_headers()
            self.wfile.write(answer if self.command != "HEAD" else b"")

        do_GET = do_HEAD = do_POST = do_PUT = pass_on

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def manifest_of(reference):
    """The digest of the only signature, and its manifest."""
    (digest,) = referrers(reference)
    return digest, json.loads(oras("manifest", "fetch", f"{reference.split('@')[0]}@{digest}"))


def lying(folder, subjects, house, home, keys):
    for name, sign, verify, check in (
        ("notation", home.sign, home.verify, lambda reference: [verify_step(reference, [house.root[1]])]),
        ("cosign", keys.sign, keys.verify, lambda reference: [cosign.verify_step(keys, reference)]),
    ):
        reference = subjects.fresh()
        sign(reference)
        digest, manifest = manifest_of(reference)
        for wrong in (digest, manifest["layers"][0]["digest"]):
            with liar(subjects.registry, wrong) as address:
                asked = f"{address}/{reference.split('/', 1)[1]}"
                if verify(asked)[0] == 0:
                    raise Failed(f"{name} accepts what is not {wrong}")
                refused(plan(folder, check(asked)), "none of them counts", f"bad signature: `{wrong}` was wanted, but", code=3)
            # Nothing was kept of it.
            accepted(plan(folder, check(reference)))


def attach_again(subjects, reference, *media_types):
    """In place of the only signature, one with its layer once for each of these media types."""
    repository = reference.split("@")[0]
    digest, manifest = manifest_of(reference)
    blob = oras("blob", "fetch", "--output", "-", f"{repository}@{manifest['layers'][0]['digest']}")
    layers = []
    for number, media_type in enumerate(media_types):
        (subjects.folder / f"layer{number}").write_bytes(blob)
        layers.append(f"layer{number}:{media_type}")
    oras("manifest", "delete", "--force", f"{repository}@{digest}")
    artifact = manifest.get("artifactType") or manifest["config"]["mediaType"]
    oras("attach", reference, "--artifact-type", artifact, *layers, cwd=subjects.folder)


def envelopes(folder, subjects, house, home, keys):
    signer = house.signers["rsa2048"]
    check = lambda reference: [verify_step(reference, [house.root[1]])]  # noqa: E731
    source, target = subjects.fresh(), subjects.fresh()
    forge(subjects, source, signer)
    accepted(home.verify(source))
    move(subjects, source, target)
    refused(plan(folder, check(target)), "bad signature: it is about", code=3)
    refused(home.verify(target))
    # Two envelopes in one manifest.
    attach_again(subjects, source, *["application/jose+json"] * 2)
    refused(plan(folder, check(source)), "its manifest has 2 layers, where one is the envelope", code=3)
    refused(home.verify(source))
    # ECDSA in DER, where r and s stand behind each other; and PSS of a key that cannot.
    for what, headers in (("DER", {"alg": "ES256"}), ("PSS of an EC key", {"alg": "PS256"})):
        reference = subjects.fresh()
        sign_with_ec(subjects, reference, house, headers)
        try:
            refused(plan(folder, check(reference)), "none of them counts", "bad signature: ", code=3)
            refused(home.verify(reference))
        except Failed as failure:
            raise Failed(f"{what}: {failure}") from None


def sign_with_ec(subjects, reference, house, headers):
    """As `forge`, with an EC key and its signature as openssl writes it, in DER."""
    key, whole = house.signers["p256"]

    def edit(envelope):
        asked, answer = subjects.folder / "asked", subjects.folder / "answer"
        asked.write_text(f"{envelope['protected']}.{envelope['payload']}")
        notation.openssl("dgst", "-sha256", "-sign", key, "-out", answer, asked)
        envelope["signature"] = notation.unpadded(answer.read_bytes())
        envelope["header"]["x5c"] = notation.certificates(whole)

    forge(subjects, reference, house.signers["rsa2048"], headers, edit=edit)


def borrowed_time(folder, subjects, house, home, keys):
    clock = notation.Clock(folder / "clock")
    stores = {"ca:house": [house.root[1]], "tsa:clock": [clock.root[1]]}
    strict = notation.Home(folder / "clock-home", house, stores=stores)
    with notation.web(clock.answer) as port:
        stamp = {"url": f"http://127.0.0.1:{port}", "certificates": [str(clock.root[1])]}
        references = [subjects.fresh(), subjects.fresh()]
        for reference in references:
            accepted(plan(folder, [sign_step(reference, house.signers["rsa2048"], timestamp=stamp)]))
            accepted(strict.verify(reference))
    reference, other = references
    stolen = envelope_of(other)["header"]["io.cncf.notary.timestampSignature"]
    envelope = envelope_of(reference)
    envelope["header"]["io.cncf.notary.timestampSignature"] = stolen
    replace_envelope(subjects, reference, envelope)
    check = verify_step(reference, [house.root[1]], timestamp_certificates=[str(clock.root[1])])
    refused(plan(folder, [check]), "the timestamp is over another signature", code=3)
    refused(strict.verify(reference))


def envelope_of(reference):
    _, manifest = manifest_of(reference)
    return json.loads(oras("blob", "fetch", "--output", "-", f"{reference.split('@')[0]}@{manifest['layers'][0]['digest']}"))


def replace_envelope(subjects, reference, envelope, **annotations):
    """The only signature of `reference` with another envelope."""
    repository = reference.split("@")[0]
    digest, manifest = manifest_of(reference)
    file = subjects.folder / "envelope.json"
    file.write_text(json.dumps(envelope))
    oras("manifest", "delete", "--force", f"{repository}@{digest}")
    kept = {**(manifest.get("annotations") or {}), **annotations}
    told = [part for name, value in kept.items() for part in ("--annotation", f"{name}={value}")]
    oras("attach", reference, "--artifact-type", SIGNED, *told, f"{file.name}:application/jose+json", cwd=subjects.folder)


def thumbprints(folder, subjects, house, home, keys):
    reference = subjects.fresh()
    accepted(plan(folder, [sign_step(reference, house.signers["p256"])]))
    wrong = {"io.cncf.notary.x509chain.thumbprint#S256": json.dumps(["0" * 64, "0" * 64])}
    replace_envelope(subjects, reference, envelope_of(reference), **wrong)
    refused(plan(folder, [verify_step(reference, [house.root[1]])]), "its manifest names other certificates than the envelope has", code=3)
    # notation does not look at it.
    accepted(home.verify(reference))


def bundles(folder, subjects, house, home, keys):
    check = lambda reference: [cosign.verify_step(keys, reference)]  # noqa: E731

    def both_refuse(reference, reason):
        refused(plan(folder, check(reference)), reason, code=3)
        if keys.verify(reference)[0] == 0:
            raise Failed(f"cosign accepts what consign refuses: {reason}")

    reference = subjects.fresh()
    keys.sign(reference)
    attach_again(subjects, reference, *[BUNDLE] * 2)
    both_refuse(reference, "layers")
    attach_again(subjects, reference, "text/plain")
    both_refuse(reference, "text/plain")
    # r and s behind each other, where DER is.
    reference = subjects.fresh()
    keys.sign(reference)

    def fixed(bundle):
        signature = bundle["dsseEnvelope"]["signatures"][0]
        signature["sig"] = base64.b64encode(fixed_of(base64.b64decode(signature["sig"]))).decode()

    cosign.rewrite(subjects, reference, fixed)
    # cosign takes either.
    refused(plan(folder, check(reference)), "bad signature: it is not that of its key, or what was signed has changed since", code=3)


def fixed_of(der):
    """The two numbers of an ECDSA signature in DER, each in 32 bytes."""
    numbers, rest = [], der[2:]
    while rest:
        length = rest[1]
        numbers.append(int.from_bytes(rest[2 : 2 + length], "big").to_bytes(32, "big"))
        rest = rest[2 + length :]
    return b"".join(numbers)


def elsewhere(folder, subjects, house, home, keys):
    """A signature under a tag names the repository that it was made for: a copy of it elsewhere counts, and says so."""
    reference = subjects.fresh()
    keys.sign_legacy(reference)
    repository, digest = reference.split("@")
    target = f"{subjects.registry.address}/elsewhere"
    for name in (f"@{digest}", f":{digest.replace(':', '-')}.sig"):
        plain = ("--from-plain-http", "--to-plain-http")
        run([TOOLS / "bin/oras", "cp", *plain, f"{repository}{name}", f"{target}{name}"])
    step = cosign.verify_step(keys, f"{target}@{digest}")
    code, said, outputs = run_plan(folder, [step], {"signers": "${{ steps.verify.signers }}"})
    accepted((code, said))
    (signer,) = outputs["signers"]
    if signer["warnings"] != [f"it was made for `{repository}`"]:
        raise Failed(f"it warns of {signer['warnings']}")
    accepted(keys.verify(f"{target}@{digest}"))


def run_plan(folder, steps, outputs):
    """Exit code, all that was said, and the outputs of a plan."""
    folder.mkdir(parents=True, exist_ok=True)
    file, told = folder / "told.yaml", folder / "outputs.json"
    file.write_text(json.dumps({"consign": 1, "steps": steps, "outputs": outputs}))
    command = [CONSIGN, "run", file, "--progress", "plain", "--workdir", folder, "--outputs", told]
    ended = subprocess.run(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT)
    said = (ended.stdout + ended.stderr).decode(errors="replace")
    return ended.returncode, said, json.loads(told.read_text()) if told.exists() else {}


PASSWORD, TOKEN = "password-that-nobody-may-see", "token-that-nobody-may-see"


def silent(folder, subjects, house, home, keys):
    """Signs, attests and verifies in every form with secrets, well and badly, and looks for them in all that is left."""
    work = folder / "silent"
    work.mkdir(parents=True)
    key, chain = house.signers["p256"]
    other, _ = house.signers["p384"]
    subprocess.run(
        [CONSIGN, "keys", "sealed", "--password-stdin"], cwd=work, input=PASSWORD.encode(), capture_output=True, check=True, timeout=LIMIT
    )
    plugin = notation.Home(work / "home", house)
    place = plugin.folder / "notation/plugins/interop"
    place.mkdir(parents=True)
    shutil.copy(notation.PLUGIN, place / "notation-interop")
    (place / "notation-interop").chmod(0o755)
    secrets = {
        "KEY": key.read_text(), "OTHER": other.read_text(), "SEALED": (work / "sealed.key").read_text(), "PASSWORD": PASSWORD,
        "WRONG": TOKEN,
    }
    predicate = {"json": cosign.PREDICATES["cyclonedx"]}
    reference = subjects.fresh()
    ours = {"subject": reference, "format": "notation", "certificate_chain": str(chain)}
    theirs = {"subject": reference, "format": "cosign", "key": "${{ SEALED }}"}
    attest = {"subject": reference, "key": "${{ SEALED }}", "predicate_type": "cyclonedx", "predicate": predicate}
    config = {"key": str(house.signers["rsa2048"][0]), "certificates": str(house.signers["rsa2048"][1])}
    named = {"name": "interop", "key_id": "k1", "config": config}
    steps = {
        "notation": {"sign": {**ours, "key": "${{ KEY }}"}},
        "mixed": {"sign": {**ours, "key": "${{ OTHER }}"}},
        "no_key": {"sign": {**ours, "key": "${{ PASSWORD }}"}},
        "plugin": {"sign": {"subject": reference, "format": "notation", "plugin": named}},
        "plugin_fails": {"sign": {"subject": reference, "format": "notation", "plugin": {**named, "config": {"key": TOKEN, "certificates": "x"}}}},
        "cosign": {"sign": {**theirs, "password": "${{ PASSWORD }}"}},
        "tagged": {"sign": {**theirs, "envelope": "simple_signing", "password": "${{ PASSWORD }}"}},
        "closed": {"sign": {**theirs, "password": "${{ WRONG }}"}},
        "attest": {"attest": {**attest, "password": "${{ PASSWORD }}"}},
        "attest_closed": {"attest": {**attest, "password": "${{ WRONG }}"}},
        "verify": {"verify": {"subject": reference, "format": "cosign", "key": "sealed.pub"}},
        "verify_closed": {"verify": {"subject": reference, "format": "cosign", "key": "sealed.key"}},
    }
    for name in ("sealed.key", "sealed.pub"):
        (work / name).chmod(0o600)
    plan_file = {
        "consign": 1,
        "secrets": {name: {"env": name} for name in secrets},
        "steps": [{"id": name, **step} for name, step in steps.items()],
    }
    (work / "plan.yaml").write_text(json.dumps(plan_file))
    environment = {**ENVIRONMENT, **secrets, "XDG_CONFIG_HOME": str(plugin.folder)}
    reports = [part for form in ("json", "html", "junit", "markdown") for part in ("--report", f"{form}=report.{form}")]
    said = b""
    for verb in ("run", "rehearse"):
        command = [CONSIGN, verb, "plan.yaml", "--keep-going", "-v", "--events", f"{verb}.ndjson", *reports]
        command += ["--real-secrets"] if verb == "rehearse" else ["--workdir", work]
        ended = subprocess.run(command, cwd=work, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT)
        if ended.returncode == 0:
            raise Failed("nothing of it was wrong")
        said += ended.stdout + ended.stderr
    for outcome in (b"created   notation", b"failed    closed", b"failed    no_key", b"failed    plugin_fails", b"created   attest "):
        if outcome not in said:
            raise Failed(f"it does not say `{outcome.decode()}`:\n{said.decode(errors='replace')}")
    kept = [path for path in work.rglob("*") if path.is_file() and not path.is_relative_to(plugin.folder)]
    kept = [path for path in kept if path.name not in ("sealed.key", "sealed.pub")]
    if not any(".consign" in path.parts for path in kept):
        raise Failed("there is no journal")
    hidden = [PASSWORD, TOKEN]
    for text in (secrets["KEY"], secrets["OTHER"], secrets["SEALED"], house.signers["rsa2048"][0].read_text()):
        body = "".join(line for line in text.splitlines() if "-----" not in line)
        hidden += [body[at : at + 32] for at in range(0, len(body) - 32, 32)]
        # A line of a file as it stands there, too.
        hidden += [line for line in text.splitlines() if "-----" not in line and len(line) > 20]
    hidden += [base64.b64encode(secret.encode()).decode() for secret in (PASSWORD, TOKEN)]
    for name, content in [("what was said", said), *((str(path.relative_to(work)), path.read_bytes()) for path in kept)]:
        for secret in hidden:
            if secret.encode() in content and not (name == "plan.yaml" and secret == TOKEN):
                raise Failed(f"{name} shows a secret, {secret[:12]}…")


if __name__ == "__main__":
    sys.exit(alone(checks))
