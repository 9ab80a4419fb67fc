"""The mirror, the air gap and the clean-up of `plans/` on real registries, with what their rehearsals begin with."""

import json
import pathlib
import shutil

from programs import Failed, consign, oras
from registries import ROOT, Registry

PLANS = ROOT / "plans"


def equal(found, expected, what):
    if found != expected:
        raise Failed(f"{what}:\n  found    {found}\n  expected {expected}")


def tags(repository):
    found = json.loads(oras("repo", "tags", "--exclude-digest-tags", "--format", "json", repository))
    return sorted(found["tags"])


def digest(reference):
    return oras("resolve", reference).decode().strip()


def publish(plan, replaced, folder):
    """What lies upstream of a plan, in real registries: those that it names, each replaced by another."""
    folder.mkdir(parents=True, exist_ok=True)
    text = (PLANS / plan / "upstream.yaml").read_text()
    for name, address in replaced.items():
        text = text.replace(name, address)
    (folder / "upstream.yaml").write_text(text)
    if (PLANS / plan / "program").exists():
        shutil.copy(PLANS / plan / "program", folder)
    consign(folder / "upstream.yaml", workdir=folder / "work")


def cleaned_up(registry, folder):
    publish("clean-up", {"registry.example.com": registry.address}, folder)
    settings = ("--set", f"REGISTRY={registry.address}")
    found = consign(PLANS / "clean-up.yaml", *settings, workdir=folder / "work")
    expected = {"pull_requests": "deleted", "old_releases": "deleted", "left": "passed"}
    equal(found, expected, "the outcomes")
    repository = f"{registry.address}/app"
    equal(tags(repository), ["1.4.0", "1.4.1", "2.0.0", "latest", "pr-30"], "the tags that are left")
    for tag in ("1.4.0", "latest"):
        referrers = json.loads(oras("discover", "--format", "json", f"{repository}:{tag}"))["referrers"]
        equal(len(referrers), 1, f"what refers to {tag}")
    again = consign(PLANS / "clean-up.yaml", *settings, workdir=folder / "work")
    equal(again, {"pull_requests": "unchanged", "old_releases": "unchanged", "left": "passed"}, "the second outcomes")


def carried_over(outside, inside, folder):
    """Out of one registry, and into the other by nothing but the archives."""
    publish("air-gap", {"registry.example.com": outside.address}, folder)
    settings = ("--set", f"OUTSIDE={outside.address}", "--set", f"INSIDE={inside.address}")
    consign(PLANS / "air-gap.yaml", *settings, "--select", "export", workdir=folder / "out")
    (folder / "in").mkdir()
    shutil.move(folder / "out/transfer", folder / "in/transfer")
    consign(PLANS / "air-gap.yaml", *settings, "--select", "import,complete", workdir=folder / "in")
    for service in ("api", "worker"):
        image = f"{inside.address}/services/{service}:1.4.0"
        equal(digest(image), digest(f"{outside.address}/{service}:1.4.0"), f"the digest of {service}")
        types = [each["artifactType"] for each in json.loads(oras("discover", "--format", "json", image))["referrers"]]
        equal(types, ["application/spdx+json"], f"what refers to {service}")


def mirrored(upstream, mirror, folder):
    replaced = {"docker.io": upstream.address, "quay.io": upstream.address}
    publish("mirror", replaced, folder)
    text = (PLANS / "mirror.yaml").read_text().replace("rehearse:", "x-rehearse:")
    for name, address in replaced.items():
        text = text.replace(name, address)
    (folder / "mirror.yaml").write_text(text)
    settings = ("--set", f"MIRROR={mirror.address}")
    consign(folder / "mirror.yaml", *settings, workdir=folder / "work")
    expected = {
        "library/nginx": ["1.29.0", "1.29.1"],
        "library/debian": ["bookworm", "bookworm-slim", "trixie-slim"],
        "prometheus/prometheus": ["v3.4.0", "v3.5.0"],
    }
    for name, listed in expected.items():
        equal(tags(f"{mirror.address}/{name}"), listed, f"the tags of {name}")
    index = json.loads(oras("manifest", "fetch", f"{mirror.address}/library/nginx:1.29.1"))
    platforms = [each["platform"]["architecture"] for each in index["manifests"]]
    equal(platforms, ["amd64", "arm64"], "the platforms of nginx")
    again = consign(folder / "mirror.yaml", *settings, workdir=folder / "work")
    changed = {step: outcome for step, outcome in again.items() if outcome not in ("unchanged", "passed")}
    equal(changed, {}, "what a second night changes")


def checks(ring, folder):
    """All of it."""
    folder = pathlib.Path(folder)
    with Registry("docker-registry", folder / "docker") as docker, Registry("ferro-oci-server", folder / "ferro") as ferro:
        for registry in (docker, ferro):
            ring.check(f"{registry.name}: plans/clean-up.yaml leaves what is needed", cleaned_up, registry, folder / f"clean-{registry.name}")
        ring.check("plans/air-gap.yaml: docker-registry to ferro-oci-server by archives", carried_over, docker, ferro, folder / "gap")
        ring.check("plans/mirror.yaml: ferro-oci-server to docker-registry", mirrored, ferro, docker, folder / "mirror")
