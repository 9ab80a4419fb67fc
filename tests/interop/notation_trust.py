"""Whom a signature of Notary Project is trusted from, and when: policies and levels, timestamps, revocation, authorities
that vouch for the time, and the keys and plugins of `notation`. It and consign are asked the same.
"""

import contextlib
import shutil
import time

from notation import (
    AUTHORITY,
    ENVELOPES,
    PLUGIN,
    SIGNER,
    Clock,
    Home,
    accepted,
    certificate,
    chain,
    forge,
    plan,
    referrers,
    refused,
    sign_step,
    verify_step,
    web,
)
from programs import Failed
from registries import free_port
from tls import openssl


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
