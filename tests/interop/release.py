"""The release of `plans/multi-platform.yaml` on real registries: what others read of it, and how it is rolled back."""

import json
import pathlib
import shutil

from programs import CONSIGN, Failed, consign, crane, oras, run, skopeo_inspect
from registries import ROOT, TOOLS, Registry

PLAN = ROOT / "plans/multi-platform.yaml"
FILES = ROOT / "plans/multi-platform"
SERVICES = {"api": "8080", "worker": "9090"}
PLATFORMS = ("amd64", "arm64")
PASSWORD = "a password of the ring"
# What runs each time: programs, gates, and what only looks.
ALWAYS = ("scan", "smoke_test", "trusted")


def equal(found, expected, what):
    if found != expected:
        raise Failed(f"{what}:\n  found    {found}\n  expected {expected}")


class Release:
    """The plan and its files with keys of their own, for one registry."""

    def __init__(self, registry, folder):
        self.address = registry.address
        self.folder = pathlib.Path(folder)
        self.plan = self.folder / PLAN.name
        shutil.copy(PLAN, self.plan)
        shutil.copytree(FILES, self.folder / FILES.name)
        self.public_key = self.folder / FILES.name / "cosign.pub"
        self.public_key.unlink()
        keys = self.folder / "keys"
        keys.mkdir()
        run([CONSIGN, "keys", keys / "cosign"], environment={"COSIGN_PASSWORD": PASSWORD})
        shutil.move(keys / "cosign.pub", self.public_key)
        self.environment = {"SIGNING_KEY": (keys / "cosign.key").read_text(), "SIGNING_PASSWORD": PASSWORD}

    def run(self, *arguments, environment=None):
        settings = ("--set", f"REGISTRY={self.address}", *arguments)
        given = self.environment if environment is None else environment
        return consign(self.plan, *settings, workdir=self.folder / "work", environment=given)

    def reference(self, stage, service, version):
        return f"{self.address}/{stage}/{service}:{version}"


def digest(reference):
    return oras("resolve", reference).decode().strip()


def cosign(*arguments):
    return run([TOOLS / "bin/cosign", *arguments])


def read_by_others(release, stage, service):
    """The image of a service as oras, crane and skopeo read it."""
    reference = release.reference(stage, service, "1.4.0")
    index = json.loads(oras("manifest", "fetch", reference))
    equal(index["mediaType"], "application/vnd.oci.image.index.v1+json", f"the media type of {reference}")
    found = [each["platform"] for each in index["manifests"]]
    equal(found, [{"architecture": each, "os": "linux"} for each in PLATFORMS], f"the platforms of {reference}")
    crane("validate", "--remote", reference)
    for architecture in PLATFORMS:
        config = json.loads(crane("config", "--platform", f"linux/{architecture}", reference))
        equal(config["architecture"], architecture, f"the architecture of {reference}")
        equal(config["config"]["Entrypoint"], [f"/app/{service}"], f"the entrypoint of {reference}")
        select = ("--override-os", "linux", "--override-arch", architecture)
        said = json.loads(skopeo_command(select, reference))
        equal((said["Architecture"], said["Os"]), (architecture, "linux"), f"what skopeo says of {reference}")
        equal(f"PORT={SERVICES[service]}" in said["Env"], True, f"the environment that skopeo sees in {reference}")
    equal(skopeo_inspect(reference, "--raw"), oras("manifest", "fetch", reference), f"the bytes of {reference}")


def skopeo_command(select, reference):
    return run([TOOLS / "bin/skopeo", *select, "inspect", "--tls-verify=false", f"docker://{reference}"])


def referred_to(release, stage, service):
    """The SBOM with its signature, provenance and signature, as oras discovers them and cosign verifies them."""
    reference = release.reference(stage, service, "1.4.0")
    found = json.loads(oras("discover", "--format", "json", reference))["referrers"]
    bundle = "application/vnd.dev.sigstore.bundle.v0.3+json"
    types = sorted(each["artifactType"] for each in found)
    equal(types, ["application/spdx+json", bundle, bundle], f"what refers to {reference}")
    [sbom] = [each for each in found if each["artifactType"] == "application/spdx+json"]
    below = [each["artifactType"] for each in sbom.get("referrers") or []]
    equal(below, [bundle], f"what refers to the SBOM of {reference}")
    document = json.loads(oras("blob", "fetch", "--output", "-", f"{reference.rsplit(':', 1)[0]}@{layer(sbom['reference'])}"))
    equal((document["spdxVersion"], document["name"]), ("SPDX-2.3", service), f"the SBOM of {reference}")
    key = ("--key", release.public_key, "--insecure-ignore-tlog", "--allow-http-registry")
    cosign("verify", *key, reference)
    cosign("verify-attestation", "--type", "slsaprovenance1", *key, reference)


def layer(reference):
    return json.loads(oras("manifest", "fetch", reference))["layers"][0]["digest"]


def released(registry, folder):
    release = Release(registry, folder)
    found = release.run()
    equal({outcome for step, outcome in found.items() if not step.split(".")[-1].startswith(ALWAYS)}, {"created"}, "the outcomes")
    for service in SERVICES:
        digests = {digest(release.reference(stage, service, "1.4.0")) for stage in ("dev", "staging", "prod")}
        digests.add(digest(release.reference("prod", service, "live")))
        equal(len(digests), 1, f"how many images {service} has")
        for stage in ("dev", "prod"):
            read_by_others(release, stage, service)
            referred_to(release, stage, service)
    return release


def released_again(release):
    found = release.run()
    changed = {step: outcome for step, outcome in found.items() if outcome not in ("unchanged", "passed")}
    equal(changed, {}, "what a second run changes")


def rolled_back(release):
    """A newer version goes live; then the older one again, by its tag alone and without a key."""
    release.run("--set", "VERSION=1.5.0")
    for service in SERVICES:
        new = digest(release.reference("prod", service, "1.5.0"))
        equal(digest(release.reference("prod", service, "live")), new, f"what is live of {service}")
    found = release.run("--set", "LIVE=1.4.0", "--select", "live", "--skip-gates", environment={})
    done = {step: outcome for step, outcome in found.items() if outcome != "skipped"}
    expected = {}
    for service in SERVICES:
        expected |= {f"live[{service}].trusted": "passed", f"live[{service}].tag": "updated"}
    equal(done, expected, "what the rollback did")
    for service in SERVICES:
        old, new = (digest(release.reference("prod", service, version)) for version in ("1.4.0", "1.5.0"))
        if old == new:
            raise Failed(f"1.4.0 and 1.5.0 of {service} are the same")
        equal(digest(release.reference("prod", service, "live")), old, f"what is live of {service} after the rollback")


def checks(ring, folder):
    """All of it, on both registries."""
    for name in ("docker-registry", "ferro-oci-server"):
        here = pathlib.Path(folder) / name
        (here / "plan").mkdir(parents=True)
        with Registry(name, here / "registry") as registry:
            what = f"{name}: oras, crane, skopeo and cosign read the release of multi-platform images"
            release = ring.check(what, released, registry, here / "plan")
            if release:
                ring.check(f"{name}: releasing again changes nothing", released_again, release)
                ring.check(f"{name}: a release is rolled back by its tag", rolled_back, release)
