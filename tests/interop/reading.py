"""What others read: graphs, tags and digests as oras has them, and files as they lie there."""

import hashlib
import json
import os

from programs import Failed, oras


def equal(found, expected, what):
    if found != expected:
        raise Failed(f"{what}:\n  found    {found}\n  expected {expected}")


def graph(reference):
    """The referrers of `reference` as oras discovers them, all levels: sorted (type, digest, below)."""

    def level(node):
        return sorted((each["artifactType"], each["digest"], level(each)) for each in node.get("referrers") or [])

    return level(json.loads(oras("discover", "--format", "json", reference)))


def shape(found):
    """A graph without its digests."""
    return sorted((artifact_type, shape(below)) for artifact_type, _, below in found)


def digest(reference):
    return oras("resolve", reference).decode().strip()


def tags(repository):
    """The tags without those of the referrers tag schema."""
    return json.loads(oras("repo", "tags", "--exclude-digest-tags", "--format", "json", repository))["tags"]


def files(folder):
    """What lies under a folder: kind, whether it may be executed, and content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))
        elif path.is_dir():
            found[name] = ("folder",)
        else:
            executable = bool(path.stat().st_mode & 0o100)
            found[name] = ("file", executable, hashlib.sha256(path.read_bytes()).hexdigest())
    return found


def same_files(found, expected):
    found, expected = files(found), files(expected)
    for name in sorted(found.keys() | expected.keys()):
        equal(found.get(name, "nothing"), expected.get(name, "nothing"), f"`{name}`")
