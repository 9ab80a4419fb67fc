"""Rehearsals against programs that this project did not write: a real registry is read and never
written, and what a rehearsal keeps is an image layout that oras reads.
"""

import hashlib
import json
import pathlib

from programs import CONSIGN, Failed, consign, oras, run
from registries import ROOT, TOOLS, Registry

PLAN = ROOT / "plans/acr-tutorial.yaml"
DELETES = "remove_readme,delete_image,delete_staging,gone"


def equal(found, expected, what):
    if found != expected:
        raise Failed(f"{what}:\n  found    {found}\n  expected {expected}")


def content(folder):
    """What lies under a folder, to the byte."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rehearse(plan, *arguments, folder):
    """Rehearses a plan; the outcome of each step by its id, and what a real run would do by repository."""
    events = folder / "events.ndjson"
    run([CONSIGN, "rehearse", plan, "--progress", "none", "--events", events, *arguments], cwd=folder)
    heard = [json.loads(line) for line in events.read_text().splitlines()]
    outcomes = {event["step"]: event["outcome"] for event in heard if event["event"] == "step_finished"}
    rehearsed = next(event for event in heard if event["event"] == "rehearsed")
    return outcomes, {each["repository"]: each for each in rehearsed["repositories"]}


def oras_layout(*arguments):
    return run([TOOLS / "bin/oras", *arguments])


def reads_only(registry, folder):
    """The whole tutorial with its deletes, over what the tutorial left without them."""
    setting = ("--set", f"REGISTRY={registry.address}")
    consign(PLAN, *setting, "--skip", DELETES, workdir=folder / "work")
    image = oras("resolve", f"{registry.address}/net-monitor:v1").decode().strip()
    storage = registry.folder / "storage"
    before, asked = content(storage), len(registry.requests())
    outcomes, repositories = rehearse(PLAN, "--read-through", *setting, folder=folder)
    for step in ("remove_readme", "delete_image", "delete_staging"):
        equal(outcomes[step], "deleted", f"the outcome of {step}")
    since = registry.requests(since=asked)
    if not since:
        raise Failed("the registry was not read")
    equal([request for request in since if request.writes], [], "the writes in the access log")
    equal(content(storage), before, "the registry's storage")
    monitor = repositories[f"{registry.address}/net-monitor"]
    equal(monitor["rights"], ["pull", "push", "delete"], "the rights")
    tags = [change for change in monitor["changes"] if change.get("tag") == "v1"]
    equal(tags, [{"change": "delete", "tag": "v1", "before": image}], "what becomes of the tag")
    gone = [change for change in monitor["changes"] if change["change"] == "delete" and "manifest" in change]
    equal(len(gone), 5, "how many manifests would be deleted")


def same_as_the_real_run(registry, folder):
    """What a rehearsal says of an empty registry, a real run does."""
    setting = ("--set", f"REGISTRY={registry.address}")
    _, repositories = rehearse(PLAN, "--read-through", "--skip", DELETES, *setting, folder=folder)
    consign(PLAN, *setting, "--skip", DELETES, workdir=folder / "work")
    for name, each in repositories.items():
        created = {change["tag"]: change["after"] for change in each["changes"] if "tag" in change}
        listed = json.loads(oras("repo", "tags", "--exclude-digest-tags", "--format", "json", name))["tags"]
        real = {tag: oras("resolve", f"{name}:{tag}").decode().strip() for tag in listed}
        equal(real, created, f"the tags of {name}")


def kept_for_oras(folder):
    """oras reads what was kept, and what oras copied is found unchanged."""
    rehearse(PLAN, "--skip", DELETES, "--keep", "kept", folder=folder)
    layout = folder / "kept/myregistry.azurecr.io/net-monitor"
    found = json.loads(oras_layout("discover", "--oci-layout", f"{layout}:v1", "--format", "json"))
    types = sorted(each["artifactType"] for each in found["referrers"])
    equal(types, ["readme/example", "sbom/example", "signature/example"], "what oras discovers")
    artifact = folder / "kept/myregistry.azurecr.io/samples/artifact"
    oras_layout("pull", "--oci-layout", f"{artifact}:readme", "-o", folder / "pulled")
    readme = (ROOT / "plans/acr-tutorial/readme.md").read_bytes()
    equal((folder / "pulled/readme.md").read_bytes(), readme, "the readme that oras pulls")
    copied = folder / "copied"
    oras_layout("cp", "-r", "--from-oci-layout", f"{layout}:v1", "--to-oci-layout", f"{copied}:v1")
    seeds = ("--seed", f"myregistry.azurecr.io/net-monitor={copied}")
    outcomes, _ = rehearse(PLAN, "--skip", DELETES, *seeds, folder=folder)
    for step in ("image", "signature", "docs", "sbom", "sbom_signature"):
        equal(outcomes[step], "unchanged", f"the outcome of {step}")


def checks(ring, folder, fresh):
    """All of it; `fresh` makes a new folder in a folder."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    with Registry("docker-registry", folder / "registry") as registry:
        ring.check("docker-registry: a rehearsal of deletes reads it and changes nothing", reads_only, registry, fresh(folder))
    for name in ("docker-registry", "ferro-oci-server"):
        with Registry(name, folder / f"{name}-empty") as registry:
            ring.check(f"{name}: a real run does what the rehearsal said", same_as_the_real_run, registry, fresh(folder))
    ring.check("oras reads what a rehearsal kept, and a rehearsal what oras copied", kept_for_oras, fresh(folder))
