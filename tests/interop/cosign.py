"""What checks of signatures of Sigstore are made of: `cosign` with keys and settings of its own, and bundles that are taken
apart.
"""

import base64
import json
import subprocess

from notation import plan, referrers
from programs import ENVIRONMENT, LIMIT, Failed, oras
from registries import TOOLS
from tls import openssl

PASSWORD = "consign-test-password"
PREDICATES = {
    "slsaprovenance1": {
        "buildDefinition": {"buildType": "https://example.com/build", "externalParameters": {"ref": "v1"}},
        "runDetails": {"builder": {"id": "https://example.com/builder"}},
    },
    "spdxjson": {
        "spdxVersion": "SPDX-2.3",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "demo",
        "dataLicense": "CC0-1.0",
        "documentNamespace": "https://example.com/demo",
        "creationInfo": {"created": "2026-01-01T00:00:00Z", "creators": ["Tool: demo"]},
    },
    "cyclonedx": {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1},
    "https://example.com/checked/v1": {"checked": True},
}


class House:
    """Keys, and cosign's settings for a machine without a network."""

    def __init__(self, folder):
        folder.mkdir(parents=True)
        self.folder = folder
        self.cosign("signing-config", "create", "--out", "signing.json")
        self.cosign("trusted-root", "create", "--out", "root.json")
        self.cosign("generate-key-pair", "--output-key-prefix", "p256")
        self.cosign("generate-key-pair", "--output-key-prefix", "other")
        for name, options in {
            "rsa": ("RSA", "rsa_keygen_bits:3072"),
            "p384": ("EC", "ec_paramgen_curve:P-384"),
            "ed25519": ("ED25519", None),
        }.items():
            algorithm, option = options
            pem = folder / f"{name}.pem"
            openssl("genpkey", "-algorithm", algorithm, *(("-pkeyopt", option) if option else ()), "-out", pem)
            openssl("pkey", "-in", pem, "-pubout", "-out", folder / f"{name}.pub")
            self.cosign("import-key-pair", "-k", pem, "-o", name)

    def run(self, *arguments):
        """Exit code, and all that was said."""
        environment = {**ENVIRONMENT, "COSIGN_PASSWORD": PASSWORD}
        ended = subprocess.run(
            [TOOLS / "bin/cosign", *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT,
        )
        return ended.returncode, (ended.stdout + ended.stderr).decode(errors="replace")

    def cosign(self, *arguments):
        code, said = self.run(*arguments)
        if code != 0:
            raise Failed(f"cosign {' '.join(map(str, arguments))} ended with {code}:\n{said}")

    def key(self, name):
        return self.folder / f"{name}.key"

    def public(self, name):
        return self.folder / f"{name}.pub"

    def sign(self, reference, name="p256", *arguments):
        offline = ("--signing-config", "signing.json", "--trusted-root", "root.json", "--allow-http-registry", "-y")
        self.cosign("sign", *offline, "--key", self.key(name), *arguments, reference)

    def sign_legacy(self, reference, name="p256", *arguments):
        old = ("--new-bundle-format=false", "--use-signing-config=false", "--tlog-upload=false")
        self.cosign("sign", *old, "--allow-http-registry", "-y", "--key", self.key(name), *arguments, reference)

    def verify(self, reference, name="p256", *arguments):
        offline = ("--insecure-ignore-tlog", "--trusted-root", "root.json", "--allow-http-registry")
        return self.run("verify", *offline, "--key", self.public(name), *arguments, reference)

    def verify_tagged(self, reference, clocks):
        """Of the older layout, with a timestamp of one of these authorities."""
        old = ("--insecure-ignore-tlog", "--new-bundle-format=false", "--timestamp-certificate-chain", clocks, "--allow-http-registry")
        return self.run("verify", *old, "--key", self.public("p256"), reference)

    def attest(self, reference, kind, predicate, name="p256"):
        file = self.folder / "predicate.json"
        file.write_text(json.dumps(predicate))
        offline = ("--signing-config", "signing.json", "--trusted-root", "root.json", "--allow-http-registry", "-y")
        self.cosign("attest", *offline, "--key", self.key(name), "--type", kind, "--predicate", file, reference)

    def verify_attestation(self, reference, kind, name="p256"):
        offline = ("--insecure-ignore-tlog", "--trusted-root", "root.json", "--allow-http-registry")
        return self.run("verify-attestation", *offline, "--key", self.public(name), "--type", kind, reference)


SECRETS = {"PASSWORD": {"env": "KEY_PASSWORD"}}


def run(folder, steps):
    """A plan that has the password of the keys as a secret; nothing that it says may hold it."""
    ended = plan(folder, steps, secrets=SECRETS, environment={"KEY_PASSWORD": PASSWORD})
    for form in (PASSWORD, base64.b64encode(PASSWORD.encode()).decode()):
        if form in ended[1]:
            raise Failed("the password was told")
    return ended


def sign_step(house, reference, name="p256", **fields):
    fields = {"subject": reference, "format": "cosign", "key": str(house.key(name)), "password": "${{ PASSWORD }}", **fields}
    return {"id": "sign", "sign": fields}


def verify_step(house, reference, name="p256", **fields):
    return {"id": "verify", "verify": {"subject": reference, "format": "cosign", "key": str(house.public(name)), **fields}}


def attest_step(house, reference, kind, predicate):
    fields = {"subject": reference, "key": str(house.key("p256")), "password": "${{ PASSWORD }}"}
    return {"id": "attest", "attest": {**fields, "predicate_type": kind, "predicate": {"json": predicate}}}


def bundle_of(reference):
    """The bundle of the only signature."""
    repository = reference.split("@")[0]
    (digest,) = referrers(reference)
    manifest = json.loads(oras("manifest", "fetch", f"{repository}@{digest}"))
    return json.loads(oras("blob", "fetch", "--output", "-", f"{repository}@{manifest['layers'][0]['digest']}"))


def rewrite(subjects, reference, change):
    """The only signature of `reference` with its bundle changed, in its place."""
    repository = reference.split("@")[0]
    (old,) = referrers(reference)
    manifest = json.loads(oras("manifest", "fetch", f"{repository}@{old}"))
    bundle = json.loads(oras("blob", "fetch", "--output", "-", f"{repository}@{manifest['layers'][0]['digest']}"))
    change(bundle)
    file = subjects.folder / "bundle.json"
    file.write_text(json.dumps(bundle))
    oras("manifest", "delete", "--force", f"{repository}@{old}")
    oras(
        "attach", reference, "--artifact-type", manifest["artifactType"], f"bundle.json:{manifest['layers'][0]['mediaType']}",
        cwd=subjects.folder,
    )


def said_of(said):
    return next(line.split()[0] for line in said.splitlines() if line.split()[1:2] == ["sign"])
