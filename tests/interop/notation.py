"""Signatures of Notary Project, each way round: what consign signs `notation` accepts, and what
`notation` signs consign does; what was tampered with neither of them does.

As a program, it runs these checks alone.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

from programs import CONSIGN, ENVIRONMENT, LIMIT, Failed, oras, words
from registries import TOOLS, Registry, stop_on_signals
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

    def __init__(self, folder, house, level="strict", override=None, stores=None, identities=("*",), **verification):
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
            "registryScopes": ["*"],
            "signatureVerification": {"level": level, **({"override": override} if override else {}), **verification},
            "trustStores": list(stores),
            "trustedIdentities": list(identities),
        }
        (notation / "trustpolicy.json").write_text(json.dumps({"version": "1.0", "trustPolicies": [policy]}))

    def notation(self, *arguments):
        """Exit code, and all that was said."""
        command = [TOOLS / "bin/notation", *arguments]
        environment = {**ENVIRONMENT, "XDG_CONFIG_HOME": str(self.folder), "NOTATION_EXPERIMENTAL": "1"}
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


def plan(folder, steps, *arguments):
    """Exit code and stderr of a plan with these steps; JSON is YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "plan.yaml"
    file.write_text(json.dumps({"consign": 1, "steps": steps}))
    command = [CONSIGN, "run", file, "--progress", "plain", "--workdir", folder, *arguments]
    ended = subprocess.run(
        command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT
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


class Ring:
    """Prints what held and what did not."""

    failed = 0

    def check(self, name, body, *arguments):
        try:
            body(*arguments)
            print(f"ok      {name}", flush=True)
        except Failed as failure:
            self.failed += 1
            print(f"FAILED  {name}\n{failure}", flush=True)


def main():
    stop_on_signals()
    ring = Ring()
    with tempfile.TemporaryDirectory() as folder:
        checks(ring, pathlib.Path(folder))
    return 1 if ring.failed else 0


if __name__ == "__main__":
    sys.exit(main())
