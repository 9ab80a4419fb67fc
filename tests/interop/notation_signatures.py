"""Signatures of Notary Project, each way round: what consign signs `notation` accepts, and what
`notation` signs consign does; what was tampered with neither of them does.

As a program, it runs these checks alone.
"""

import base64
import json
import shutil
import sys
import time

import notation_trust
from notation import (
    ENVELOPES,
    KEYS,
    Home,
    House,
    Subjects,
    accepted,
    certificates,
    forge,
    move,
    plan,
    referrers,
    refused,
    sign_step,
    unpadded,
    verify_step,
)
from programs import Failed
from registries import Registry
from ring import alone

REGISTRIES = ("docker-registry", "ferro-oci-server")


def checks(ring, folder):
    house = House(folder / "house")
    home = Home(folder / "home", house)
    for name in REGISTRIES:
        with Registry(name, folder / name) as registry:
            registry_checks(ring, name, folder / f"{name}-work", Subjects(registry, folder / f"{name}-files"), house, home)
    for one, other in (REGISTRIES, REGISTRIES[::-1]):
        place = folder / f"from-{one}"
        with Registry(one, place / "from") as source, Registry(other, place / "to") as target:
            subjects = Subjects(source, place / "files")
            ring.check(f"notation accepts what was promoted from {one} to {other}", between, place, subjects, target, house, home)


def between(folder, subjects, target, house, home):
    reference = subjects.fresh()
    demand = {"format": "notation", "certificates": [str(house.root[1])]}
    to = f"{target.address}/promoted:v1"
    copy = {"id": "copy", "copy": {"from": reference, "to": to, "verify": demand}}
    accepted(plan(folder / "work", [sign_step(reference, house.signers["rsa2048"], envelope="cose"), copy]))
    accepted(home.verify(f"{to.rsplit(':', 1)[0]}@{reference.split('@')[1]}"))


def registry_checks(ring, name, folder, subjects, house, home):
    for key in KEYS:
        for envelope in ENVELOPES:
            what = f"{name}: {key}, {envelope}"
            ring.check(f"{what}: notation accepts what consign signed", ours, folder, subjects, house, home, key, envelope)
            ring.check(f"{what}: consign accepts what notation signed", theirs, folder, subjects, house, home, key, envelope)
    ring.check(f"{name}: user metadata is compared by both", metadata, folder, subjects, house, home)
    ring.check(f"{name}: signatures expire for both", expiry, folder, subjects, house, home)
    ring.check(f"{name}: a self-signed signer counts where it is trusted", self_signed, folder, subjects, house)
    ring.check(f"{name}: signing again adds nothing, `add` adds, `replace` replaces", again, folder, subjects, house, home)
    ring.check(f"{name}: what was tampered with is refused by both", tampered, folder, subjects, house, home)
    ring.check(f"{name}: a policy means the same to both", notation_trust.policies, folder, subjects, house)
    ring.check(f"{name}: timestamps", notation_trust.timestamps, folder, subjects, house)
    ring.check(f"{name}: revocation, by lists and over OCSP", notation_trust.revocation, folder, subjects)
    ring.check(f"{name}: an authority that vouches for the time", notation_trust.authorities, folder, subjects, house)
    ring.check(f"{name}: notation's own keys, and plugins", notation_trust.named_keys_and_plugins, folder, subjects, house)
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


def self_signed(folder, subjects, house):
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
