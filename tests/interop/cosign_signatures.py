"""Signatures and attestations of Sigstore with keys, each way round: what consign signs `cosign` accepts, and
what `cosign` signs consign does; what was tampered with neither of them does.

As a program, it runs these checks alone.
"""

import base64
import subprocess
import sys

from cosign import (
    PASSWORD,
    PREDICATES,
    SECRETS,
    House,
    attest_step,
    bundle_of,
    rewrite,
    run,
    said_of,
    sign_step,
    verify_step,
)
from notation import (
    AUTHORITY,
    ENVELOPES,
    Clock,
    Home,
    House as Authorities,
    Subjects,
    accepted,
    certificate,
    move,
    plan,
    referrers,
    refused,
    sign_step as notation_step,
    verify_step as notation_check,
    web,
)
from programs import CONSIGN, LIMIT, Failed, oras
from registries import Registry
from ring import alone

REGISTRIES = ("docker-registry", "ferro-oci-server")


def checks(ring, folder):
    house = House(folder / "house")
    authorities = Authorities(folder / "authorities")
    home = Home(folder / "home", authorities)
    for name in REGISTRIES:
        with Registry(name, folder / name) as registry:
            subjects = Subjects(registry, folder / f"{name}-files")
            registry_checks(ring, name, folder / f"{name}-work", subjects, house)
            ring.check(
                f"{name}: one subject, signed by consign, cosign and notation",
                mixed, folder / f"{name}-mixed", subjects, house, authorities, home,
            )
    for one, other in (REGISTRIES, REGISTRIES[::-1]):
        place = folder / f"from-{one}"
        with Registry(one, place / "from") as source, Registry(other, place / "to") as target:
            subjects = Subjects(source, place / "files")
            ring.check(f"cosign accepts what was promoted from {one} to {other}", between, place / "work", subjects, target, house)


def registry_checks(ring, name, folder, subjects, house):
    def check(what, body, *arguments):
        ring.check(f"{name}: {what}", body, folder, subjects, house, *arguments)

    for key in ("p256", "rsa", "ed25519"):
        check(f"{key}: cosign accepts consign's bundle", ours, key, "bundle")
        check(f"{key}: consign accepts cosign's bundle", theirs, key) if key != "ed25519" else None
    check("cosign accepts consign's signature under a tag", ours, "p256", "simple_signing")
    check("consign accepts cosign's signature under a tag, and a bundle hides none", theirs_tagged)
    check("p384: consign accepts what cosign signs and does not accept itself", larger_curve)
    check("annotations are compared by both", annotations)
    for kind, predicate in PREDICATES.items():
        check(f"{kind}: cosign accepts consign's attestation, consign cosign's", attestation, kind, predicate)
    check("timestamps, and what has none or another one", timestamps)
    check("an attestation is no signature", no_signature)
    check("signing again adds nothing, `add` adds, `replace` replaces", again)
    check("a wrong password, no signature, a stranger and a moved one are told apart", apart)
    check("what was tampered with is refused by both", tampered)
    check("a copy elsewhere counts for both", promoted)
    check("cosign signs with a key that consign made, and opens it with its password alone", made_key)


def ours(folder, subjects, house, key, envelope):
    reference = subjects.fresh()
    accepted(run(folder, [sign_step(house, reference, key, envelope=envelope), verify_step(house, reference, key)]))
    accepted(house.verify(reference, key))
    refused(house.verify(reference, "other"), code=house.verify(reference, "other")[0] or 1)


def theirs(folder, subjects, house, key):
    reference = subjects.fresh()
    house.sign(reference, key)
    accepted(run(folder, [verify_step(house, reference, key)]))
    refused(run(folder, [verify_step(house, reference, "other")]), "the signer is not trusted: the key `", code=3)
    # It is kept: consign signs nothing with a key that has signed.
    before = referrers(reference)
    accepted(run(folder, [sign_step(house, reference, key)]))
    if referrers(reference) != before:
        raise Failed("a signature that cosign made was not kept")


def theirs_tagged(folder, subjects, house):
    reference = subjects.fresh()
    house.sign_legacy(reference)
    accepted(run(folder, [verify_step(house, reference)]))
    house.sign(reference, "other")
    # cosign looks at bundles alone, where there is one.
    accepted(run(folder, [verify_step(house, reference)]))


def larger_curve(folder, subjects, house):
    reference = subjects.fresh()
    house.sign(reference, "p384")
    accepted(run(folder, [verify_step(house, reference, "p384")]))
    refused(run(folder, [sign_step(house, subjects.fresh(), "p384")]), "is a key of the kind P-384: cosign does not verify")


def annotations(folder, subjects, house):
    for envelope in ("bundle", "simple_signing"):
        reference = subjects.fresh()
        accepted(run(folder, [sign_step(house, reference, envelope=envelope, annotations={"env": "prod"})]))
        accepted(house.verify(reference, "p256", "-a", "env=prod"))
        if house.verify(reference, "p256", "-a", "env=x")[0] == 0:
            raise Failed("cosign does not compare annotations")
    reference = subjects.fresh()
    house.sign(reference, "p256", "-a", "env=prod")
    accepted(run(folder, [verify_step(house, reference, annotations={"env": "prod"})]))
    wrong = verify_step(house, reference, annotations={"env": "x"})
    refused(run(folder, [wrong]), "it does not say `env: x`: it says `prod`", code=3)


def attestation(folder, subjects, house, kind, predicate):
    reference = subjects.fresh()
    step = attest_step(house, reference, kind, predicate)
    for _ in range(2):
        accepted(run(folder, [step]))
    if len(referrers(reference)) != 1:
        raise Failed("an equal attestation was made twice")
    accepted(house.verify_attestation(reference, kind))
    if house.verify_attestation(reference, "vuln")[0] == 0:
        raise Failed("cosign accepts any type")
    other = subjects.fresh()
    house.attest(other, kind, predicate)
    house.sign(other)
    require = [{"predicate_type": kind}]
    accepted(run(folder, [verify_step(house, other, require=require)]))
    refused(run(folder, [verify_step(house, other, require=[{"predicate_type": "vuln"}])]), "has no attestation of type", code=3)


def timestamps(folder, subjects, house):
    """Each says when it was signed: in bundles, in attestations, and under the tag."""
    folder.mkdir(parents=True, exist_ok=True)
    clock = Clock(folder / "clock")
    certificates = [str(clock.root[1])]
    (folder / "tsa.pem").write_bytes(clock.leaf[1].read_bytes() + clock.root[1].read_bytes())
    root = folder / "tsa-root.json"
    with web(clock.answer) as port:
        url = f"http://127.0.0.1:{port}"
        since = "start-time=2024-01-01T00:00:00Z"
        house.cosign("trusted-root", "create", f"--tsa=url={url},certificate-chain={folder / 'tsa.pem'},{since}", "--out", root)
        config = folder / "tsa-signing.json"
        house.cosign(
            "signing-config", "create", f"--tsa=url={url},api-version=1,{since},operator=local", "--tsa-config=EXACT:1", "--out", config
        )
        theirs = ("--use-signed-timestamps", "--trusted-root", root)
        stamp = {"timestamp": {"url": url, "certificates": certificates}}
        # cosign asks for a timestamp without the certificate of the service: both files have it.
        ours = {"timestamp_certificates": [str(folder / "tsa.pem")]}
        for key in ("p256", "rsa"):
            # What has no timestamp is no reason not to sign with one; what has one is.
            reference = subjects.fresh()
            accepted(run(folder, [sign_step(house, reference, key)]))
            refused(run(folder, [verify_step(house, reference, key, **ours)]), "it has no timestamp, and one is needed", code=3)
            if house.verify(reference, key, *theirs)[0] == 0:
                raise Failed("cosign needs no timestamp")
            step = sign_step(house, reference, key, **stamp)
            if [said_of(accepted(run(folder, [step]))) for _ in range(2)] != ["created", "unchanged"]:
                raise Failed("a signature with a timestamp was not kept")
            accepted(house.verify(reference, key, *theirs))
            accepted(run(folder, [verify_step(house, reference, key, timestamp_certificates=certificates)]))
            reference = subjects.fresh()
            offline = ("--signing-config", config, "--trusted-root", root, "--allow-http-registry", "-y")
            house.cosign("sign", *offline, "--key", house.key(key), reference)
            accepted(house.verify(reference, key, *theirs))
            accepted(run(folder, [verify_step(house, reference, key, **ours)]))
        stranger = {"url": url, "certificates": [str(certificate(folder, "stranger", AUTHORITY)[1])]}
        refused(run(folder, [sign_step(house, subjects.fresh(), timestamp=stranger)]), "the timestamp service `CN=clock,", code=1)
        # The timestamp of another signature.
        reference, other = subjects.fresh(), subjects.fresh()
        accepted(run(folder, [sign_step(house, one, **stamp) | {"id": f"s{at}"} for at, one in enumerate((reference, other))]))
        borrowed = bundle_of(other)["verificationMaterial"]["timestampVerificationData"]
        rewrite(subjects, reference, lambda bundle: bundle["verificationMaterial"].update(timestampVerificationData=borrowed))
        refused(run(folder, [verify_step(house, reference, **ours)]), "the timestamp is over another signature", code=3)
        if house.verify(reference, "p256", *theirs)[0] == 0:
            raise Failed("cosign accepts the timestamp of another signature")
        # Attestations as well.
        reference = subjects.fresh()
        attest = attest_step(house, reference, "cyclonedx", PREDICATES["cyclonedx"])
        attest["attest"].update(stamp)
        accepted(run(folder, [attest, sign_step(house, reference, **stamp)]))
        accepted(run(folder, [verify_step(house, reference, require=[{"predicate_type": "cyclonedx"}], **ours)]))
        # Under the tag, where cosign is told the authorities themselves.
        for made in ("consign", "cosign"):
            reference = subjects.fresh()
            if made == "consign":
                step = sign_step(house, reference, envelope="simple_signing", **stamp)
                if [said_of(accepted(run(folder, [step]))) for _ in range(2)] != ["created", "unchanged"]:
                    raise Failed("a signature with a timestamp was not kept under the tag")
            else:
                house.sign_legacy(reference, "p256", "--timestamp-server-url", url)
            accepted(house.verify_tagged(reference, folder / "tsa.pem"))
            accepted(run(folder, [verify_step(house, reference, **ours)]))
        reference = subjects.fresh()
        accepted(run(folder, [sign_step(house, reference, envelope="simple_signing")]))
        refused(run(folder, [verify_step(house, reference, **ours)]), "it has no timestamp, and one is needed", code=3)


def no_signature(folder, subjects, house):
    reference = subjects.fresh()
    house.attest(reference, "cyclonedx", PREDICATES["cyclonedx"])
    check = run(folder, [verify_step(house, reference)])
    refused(check, "it is an attestation of type `https://cyclonedx.org/bom`, not a signature", code=3)


def again(folder, subjects, house):
    for envelope in ("bundle", "simple_signing"):
        reference = subjects.fresh()
        step = sign_step(house, reference, envelope=envelope)
        first = said_of(accepted(run(folder, [step])))
        if first != "created" or {said_of(accepted(run(folder, [step]))) for _ in range(2)} != {"unchanged"}:
            raise Failed("signing again was not unchanged")
        accepted(run(folder, [sign_step(house, reference, envelope=envelope, if_signed="add")]))
        accepted(run(folder, [sign_step(house, reference, "other", envelope=envelope)]))
        said = said_of(accepted(run(folder, [sign_step(house, reference, envelope=envelope, if_signed="replace")])))
        if said != "updated":
            raise Failed(f"`replace` said {said}")
        accepted(house.verify(reference))
        accepted(house.verify(reference, "other"))


def apart(folder, subjects, house):
    reference = subjects.fresh()
    refused(run(folder, [verify_step(house, reference)]), f"`{reference}` has no signature", code=3)
    wrong = plan(folder, [sign_step(house, reference)], secrets=SECRETS, environment={"KEY_PASSWORD": "wrong"})
    refused(wrong, "the password does not open the encrypted key")
    target = subjects.fresh()
    accepted(run(folder, [sign_step(house, reference)]))
    move(subjects, reference, target)
    refused(run(folder, [verify_step(house, target)]), "bad signature: it is about", code=3)
    if house.verify(target)[0] == 0:
        raise Failed("cosign accepts a moved signature")


def tampered(folder, subjects, house):
    def flip(text):
        raw = bytearray(base64.b64decode(text))
        raw[-1] ^= 1
        return base64.b64encode(raw).decode()

    def change_signature(bundle):
        signature = bundle["dsseEnvelope"]["signatures"][0]
        signature["sig"] = flip(signature["sig"])

    def change_payload(bundle):
        bundle["dsseEnvelope"]["payload"] = flip(bundle["dsseEnvelope"]["payload"])

    def change_type(bundle):
        bundle["dsseEnvelope"]["payloadType"] = "text/plain"

    def two(bundle):
        bundle["dsseEnvelope"]["signatures"] *= 2

    def key_id(bundle):
        bundle["dsseEnvelope"]["signatures"][0]["keyid"] = "foreign"

    for change, reason in {
        change_signature: "it is not that of its key, or what was signed has changed since",
        change_payload: "it is not that of its key, or what was signed has changed since",
        change_type: "its payload is `text/plain`",
        two: "the bundle has 2 signatures",
        key_id: "its signature names a key in `keyid`",
    }.items():
        signed, target = subjects.fresh(), subjects.fresh()
        accepted(run(folder, [sign_step(house, signed)]))
        rewrite(subjects, signed, change)
        refused(run(folder, [verify_step(house, signed)]), f"bad signature: {reason}", code=3)
        if house.verify(signed)[0] == 0:
            raise Failed(f"cosign accepts {change.__name__}")


def promoted(folder, subjects, house):
    source, target = subjects.fresh(), f"{subjects.registry.address}/promoted:v1"
    steps = [
        sign_step(house, source),
        {"id": "promote", "copy": {"from": source, "to": target, "if_exists": "replace"}},
        verify_step(house, target),
    ]
    accepted(run(folder, steps))
    accepted(house.verify(target))
    # A gate that says no copies nothing.
    unsigned, other = subjects.fresh(), f"{subjects.registry.address}/withheld:v1"
    steps = [verify_step(house, unsigned), {"id": "promote", "copy": {"from": unsigned, "to": other}}]
    refused(run(folder, steps), "has no signature", code=3)
    if "withheld" in oras("repo", "ls", subjects.registry.address).decode().split():
        raise Failed("it was copied all the same")


def between(folder, subjects, target, house):
    reference, to = subjects.fresh(), f"{target.address}/promoted:v1"
    demand = {"format": "cosign", "key": str(house.public("p256")), "require": [{"predicate_type": "cyclonedx"}]}
    steps = [
        sign_step(house, reference),
        attest_step(house, reference, "cyclonedx", PREDICATES["cyclonedx"]),
        {"id": "copy", "copy": {"from": reference, "to": to, "verify": demand}},
    ]
    accepted(run(folder, steps))
    promoted = f"{to.rsplit(':', 1)[0]}@{reference.split('@')[1]}"
    accepted(house.verify(promoted))
    accepted(house.verify_attestation(promoted, "cyclonedx"))
    # What does not verify is not copied, and its tag does not move.
    other, before = subjects.fresh(), oras("resolve", to)
    moved = {"id": "copy", "copy": {"from": other, "to": to, "if_exists": "replace", "verify": demand}}
    refused(run(folder, [moved]), "has no signature", code=3)
    if oras("resolve", to) != before:
        raise Failed("the tag moved all the same")
    if target.ask("GET", f"/v2/promoted/manifests/{other.split('@')[1]}") != 404:
        raise Failed("it was copied all the same")


def made_key(folder, subjects, house):
    name = f"made-{subjects.registry.address.rpartition(':')[2]}"
    made = subprocess.run(
        [CONSIGN, "keys", name, "--password-stdin"], cwd=house.folder, input=PASSWORD.encode(), capture_output=True, timeout=LIMIT
    )
    if made.returncode != 0:
        raise Failed(f"consign keys ended with {made.returncode}:\n{made.stderr.decode(errors='replace')}")
    code, said = house.run("public-key", "--key", house.key(name))
    if code != 0 or house.public(name).read_text().strip() not in said:
        raise Failed(f"cosign reads another key: {said}")
    reference = subjects.fresh()
    house.sign(reference, name)
    accepted(run(folder, [verify_step(house, reference, name)]))
    other = subjects.fresh()
    accepted(run(folder, [sign_step(house, other, name)]))
    accepted(house.verify(other, name))


def mixed(folder, subjects, house, authorities, home):
    reference = subjects.fresh()
    home.sign(reference)
    (subjects.folder / "sbom.json").write_text("{}")
    sbom = ("attach", reference, "--artifact-type", "sbom/example")
    oras(*sbom, "sbom.json:application/json", cwd=subjects.folder)
    house.sign(reference)
    for envelope in ENVELOPES:
        accepted(plan(folder, [notation_step(reference, authorities.signers["p384"], envelope=envelope, if_signed="add")]))
    accepted(run(folder, [sign_step(house, reference, "rsa"), attest_step(house, reference, "cyclonedx", PREDICATES["cyclonedx"])]))
    home.sign(reference, "-k", "rsa2048")
    accepted(home.verify(reference))
    for key in ("p256", "rsa"):
        accepted(house.verify(reference, key))
        accepted(run(folder, [verify_step(house, reference, key)]))
    accepted(plan(folder, [notation_check(reference, [authorities.root[1]])]))
    # Whoever wrote the list, all of it is still there.
    if len(referrers(reference)) != 8:
        raise Failed(f"there are {len(referrers(reference))} referrers, not 8")


if __name__ == "__main__":
    sys.exit(alone(checks))
