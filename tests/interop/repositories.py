#!/usr/bin/env python3
"""What `inspect` says that a repository has, beside what oras and crane find there.

As a program it runs these checks alone.
"""

import itertools
import json
import pathlib
import sys

from programs import Failed, consign, crane, oras
from registries import Registry
from ring import alone

REGISTRIES = ("docker-registry", "ferro-oci-server")


def equal(found, expected, what):
    if found != expected:
        raise Failed(f"{what}:\n  found    {found}\n  expected {expected}")


def inspected(repository, folder):
    """The outputs of `inspect` of a repository."""
    steps = [{"id": "all", "inspect": {"repository": repository}}]
    names = ("manifests", "count", "listing")
    outputs = {name: "${{ steps.all." + name + " }}" for name in names}
    plan = folder / "plan.yaml"
    # JSON is YAML.
    plan.write_text(json.dumps({"consign": 1, "steps": steps, "outputs": outputs}))
    consign(plan, "--outputs", folder / "outputs.json", workdir=folder / "work")
    return json.loads((folder / "outputs.json").read_text())


def listed(tree):
    """The digests of a tree as `oras discover` writes it."""
    return {tree["digest"]}.union(*map(listed, tree.get("referrers", [])))


def is_what_oras_finds(registry, folder):
    """Two images in an index, signed on two levels, with a tag beside and an artifact that no tag names."""
    repository = f"{registry.address}/repositories/app"
    (folder / "file.txt").write_text("hello\n")
    (folder / "other.txt").write_text("other\n")

    def push(tag, kind, file):
        oras("push", f"{repository}:{tag}", "--artifact-type", kind, f"{file}:text/plain", cwd=folder)
        return oras("resolve", f"{repository}:{tag}").decode().strip()

    def attach(subject, kind):
        said = oras("attach", f"{repository}@{subject}", "--artifact-type", kind, "--format", "json", "file.txt", cwd=folder)
        return json.loads(said)["digest"]

    one = push("one", "image/example", "file.txt")
    two = push("two", "image/example", "other.txt")
    oras("manifest", "index", "create", f"{repository}:v1,latest", "one", "two")
    index = oras("resolve", f"{repository}:v1").decode().strip()
    sbom = attach(two, "sbom/example")
    signature = attach(sbom, "signature/example")
    lost = json.loads(
        oras("push", repository, "--artifact-type", "lost/example", "--format", "json", "other.txt", cwd=folder)
    )["digest"]

    outputs = inspected(repository, folder)
    found = {each["digest"]: each for each in outputs["manifests"]}
    equal(list(found), sorted(found), "the order")
    equal((outputs["listing"], outputs["count"]), ("reached", len(found)), "where it comes from, and how many there are")
    tags = json.loads(oras("repo", "tags", "--exclude-digest-tags", "--format", "json", repository))["tags"]
    named = {tag: digest for digest, each in found.items() for tag in each["tags"]}
    equal(named, {tag: oras("resolve", f"{repository}:{tag}").decode().strip() for tag in tags}, "the tags")
    trees = (json.loads(oras("discover", "--format", "json", f"{repository}@{digest}")) for digest in (one, two, index))
    equal(set(found), set().union(*map(listed, trees)), "the manifests, against the trees of oras")
    equal(set(found), {one, two, index, sbom, signature}, "the manifests")
    if lost in found:
        raise Failed("what no tag leads to was found, and `listing` is `reached`")
    for digest, each in found.items():
        raw = crane("manifest", f"{repository}@{digest}")
        said = json.loads(raw)
        equal((each["size"], each["media_type"]), (len(raw), said["mediaType"]), "size and type")
        equal(each["artifact_type"], said.get("artifactType"), "the artifact type")
        equal(each["subject"], said.get("subject", {}).get("digest"), "the subject")


def checks(ring, folder):
    folder.mkdir(parents=True, exist_ok=True)
    numbers = itertools.count(1)
    for name in REGISTRIES:
        with Registry(name, folder / name) as registry:
            work = folder / f"check{next(numbers)}"
            work.mkdir()
            ring.check(f"{name}: a repository has what oras and crane find there", is_what_oras_finds, registry, work)


if __name__ == "__main__":
    sys.exit(alone(lambda ring, folder: checks(ring, pathlib.Path(folder))))
