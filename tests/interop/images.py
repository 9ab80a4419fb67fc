"""Images, indexes, filtered copies and archives, each way round: what consign makes skopeo reads, crane validates and
umoci unpacks; what skopeo and crane put into archives and layouts consign takes.

As a program, it runs these checks alone.
"""

import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tarfile

from programs import CONSIGN, ENVIRONMENT, LIMIT, Failed, consign, crane, run, skopeo_inspect
from registries import TOOLS, Registry
from ring import alone

REGISTRIES = ("docker-registry", "ferro-oci-server")
PLATFORMS = ("linux/amd64", "linux/arm64")
# What the images have in their file systems.
BASE_FILE, APP_FILE = ("etc/base", "made first\n"), ("app/program", "#!/bin/sh\necho made on a base\n")


def equal(found, expected, what):
    if found != expected:
        raise Failed(f"{what}:\n  found    {found}\n  expected {expected}")


def skopeo(*arguments):
    """`skopeo` without a policy of this machine, for images of one platform wherever it runs."""
    flags = ["--insecure-policy", "--override-os", "linux", "--override-arch", "amd64"]
    return run([TOOLS / "bin/skopeo", *flags, *arguments])


def write(folder, steps):
    """A plan with what its images are made of beside it."""
    for name, content in (BASE_FILE, APP_FILE):
        path = folder / pathlib.PurePath(name).name
        path.write_text(content)
        path.chmod(0o755)
    plan = folder / "plan.yaml"
    # JSON is YAML.
    plan.write_text(json.dumps({"consign": 1, "name": "images", "steps": steps}))
    return plan


def both_ways(folder, steps):
    """Runs a plan twice: what it made is as it should be the second time."""
    plan = write(folder, steps)
    found = consign(plan, workdir=folder / "work")
    equal({outcome for outcome in found.values()} <= {"created", "passed"}, True, f"the outcomes {found}")
    again = consign(plan, workdir=folder / "work")
    equal({outcome for outcome in again.values()} <= {"unchanged", "passed"}, True, f"the outcomes of a second run {again}")


def images(registry, other):
    """Steps that make a base for two platforms, an image on it, an index by hand, and copies of a part of them."""
    base, app, hand = (f"{registry.address}/images/{name}" for name in ("base", "app", "hand"))
    layer = [{"path": "base", "at": "/etc"}]
    steps = [
        {"id": f"base_{platform[6:]}", "image": {"to": f"{base}:{platform[6:]}", "platform": platform, "layers": layer}}
        for platform in PLATFORMS
    ]
    copied = {"from": f"{app}:v1", "to": f"{other.address}/images/part:v1", "platforms": ["linux/amd64"]}
    return steps + [
        {"id": "base", "index": {"to": f"{base}:v1", "manifests": [f"{base}:amd64", f"{base}:arm64"]}},
        {
            "id": "app",
            "image": {
                "to": f"{app}:v1",
                "base": f"{base}:v1",
                "layers": [{"path": "program", "at": "/app"}],
                "entrypoint": ["/app/program"],
                "labels": {"made": "by consign"},
            },
        },
        {"id": "hand", "index": {"to": f"{hand}:v1", "manifests": [f"{app}:v1"], "annotations": {"made": "by hand"}}},
        {"id": "sbom", "attach": {"subject": f"{app}:v1", "artifact_type": "sbom/example", "annotations": {"a": "b"}}},
        {"id": "scan", "attach": {"subject": f"{app}:v1", "artifact_type": "scan/example", "annotations": {"a": "b"}}},
        {"id": "part", "copy": copied},
        {
            "id": "whole",
            "copy": {
                "from": f"{app}:v1",
                "to": f"{other.address}/images/whole:v1",
                "tags": ["latest"],
                "referrers": {"include": [{"artifact_type": "sbom/*"}]},
            },
        },
        {"id": "one", "discover": {"subject": f"{other.address}/images/whole:latest", "expect": "one"}},
        {"id": "mirror", "copy": {"from": base, "to": f"{other.address}/images/mirror", "select": {"match": ["*", "!arm*"]}}},
    ]


def made(registry, other, folder):
    both_ways(folder, images(registry, other))


def references(registry, other):
    own = [f"{registry.address}/images/{name}:v1" for name in ("base", "app", "hand")]
    return own + [f"{other.address}/images/{name}:v1" for name in ("part", "whole", "mirror")]


def is_read(reference):
    """crane validates it, layers and all, and skopeo reads the same bytes."""
    raw = crane("manifest", reference)
    equal(skopeo_inspect(reference, "--raw"), raw, "the manifest's bytes")
    crane("validate", "--remote", reference)
    listed = json.loads(raw)["manifests"]
    for each in listed:
        crane("validate", "--remote", f"{reference.rpartition(':')[0]}@{each['digest']}")
    inspected = json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{reference}"))
    equal((inspected["Os"], inspected["Architecture"]), ("linux", "amd64"), "what skopeo says of it")
    expected = ["amd64"] if "/part:" in reference else ["amd64", "arm64"]
    equal(sorted(each["platform"]["architecture"] for each in listed), expected, "the platforms")


def says_its_base(registry):
    app, base = (f"{registry.address}/images/{name}:v1" for name in ("app", "base"))
    index = json.loads(crane("manifest", app))
    image = json.loads(crane("manifest", f"{registry.address}/images/app@{index['manifests'][0]['digest']}"))
    annotations = index.get("annotations") or image["annotations"]
    equal(annotations["org.opencontainers.image.base.digest"], crane("digest", base).decode().strip(), "the base's digest")


def tags_are_mirrored(other):
    listed = crane("ls", f"{other.address}/images/mirror").decode().split()
    equal(sorted(tag for tag in listed if not tag.startswith("sha256-")), ["amd64", "v1"], "the tags")


def unpacks(layout, folder, expected):
    """umoci unpacks the image under the tag `v1` of a layout, as anybody may."""
    bundle = folder / "bundle"
    run([TOOLS / "bin/umoci", "unpack", "--rootless", "--image", f"{layout}:v1", bundle])
    for name, content in expected:
        path = bundle / "rootfs" / name
        equal(path.read_text(), content, f"`{name}`")
        equal(path.stat().st_mode & 0o111, 0o111, f"the execute bits of `{name}`")
    return json.loads((bundle / "config.json").read_text())


def is_unpacked(registry, folder):
    layout = folder / "layout"
    skopeo("copy", "--src-tls-verify=false", f"docker://{registry.address}/images/app:v1", f"oci:{layout}:v1")
    config = unpacks(layout, folder, [BASE_FILE, APP_FILE])
    equal(config["process"]["args"], ["/app/program"], "the entrypoint")


def layout_is_unpacked(registry, folder):
    """A layout that consign wrote itself, without anybody between."""
    step = {"id": "out", "copy": {"from": f"{registry.address}/images/base:amd64", "to": "oci-layout:layout:v1"}}
    both_ways(folder, [step])
    unpacks(folder / "work/layout", folder, [BASE_FILE])
    crane("push", folder / "work/layout", f"{registry.address}/images/pushed:v1")
    same_digest(registry, "base:amd64", "pushed:v1")


def same_digest(registry, one, other):
    first, second = (crane("digest", f"{registry.address}/images/{name}").decode().strip() for name in (one, other))
    equal(second, first, f"the digest of {other}")


def oci_archive_out(registry, folder):
    """consign writes an archive that skopeo reads and pushes."""
    reference = f"{registry.address}/images/app:v1"
    both_ways(folder, [{"id": "out", "copy": {"from": reference, "to": "oci-archive:app.tar:v1", "tags": ["latest"]}}])
    archive = folder / "work/app.tar"
    first = hashlib.sha256(archive.read_bytes()).hexdigest()
    equal(skopeo("inspect", "--raw", f"oci-archive:{archive}:v1"), crane("manifest", reference), "the manifest's bytes")
    back = f"docker://{registry.address}/images/from-oci-archive:v1"
    skopeo("copy", "--all", "--dest-tls-verify=false", f"oci-archive:{archive}:latest", back)
    same_digest(registry, "app:v1", "from-oci-archive:v1")
    with tarfile.open(archive) as opened:
        names = opened.getnames()
        equal((names, {member.mtime for member in opened}), (sorted(names), {0}), "the names in order, without times")
    archive.unlink()
    consign(folder / "plan.yaml", workdir=folder / "work")
    equal(hashlib.sha256(archive.read_bytes()).hexdigest(), first, "the archive made again")
    unpacked = folder / "layout"
    unpacked.mkdir()
    run(["tar", "-xf", archive, "-C", unpacked])
    crane("validate", "--remote", f"{registry.address}/images/from-oci-archive:v1")


def oci_archive_in(registry, folder):
    """skopeo writes an archive, with a name and without, that consign takes."""
    reference = f"docker://{registry.address}/images/app:v1"
    skopeo("copy", "--all", "--src-tls-verify=false", reference, f"oci-archive:{folder}/named.tar:v1")
    skopeo("copy", "--all", "--src-tls-verify=false", reference, f"oci-archive:{folder}/nameless.tar")
    steps = []
    for name, tag in (("named", ":v1"), ("nameless", "")):
        archive = f"oci-archive:../{name}.tar{tag}"
        steps.append({"id": f"seen_{name}", "inspect": {"reference": archive, "platform": "linux/arm64"}})
        steps.append({"id": name, "copy": {"from": archive, "to": f"{registry.address}/images/{name}:v1"}})
    both_ways(folder, steps)
    for name in ("named", "nameless"):
        same_digest(registry, "app:v1", f"{name}:v1")


def docker_archive_in(registry, folder):
    """What skopeo and crane write as `docker save` does becomes an image with the same config."""
    reference = f"{registry.address}/images/app:v1"
    source = f"docker://{reference}"
    skopeo("copy", "--src-tls-verify=false", source, f"docker-archive:{folder}/skopeo.tar:example.com/team/app:v1")
    crane("pull", "--platform", "linux/amd64", reference, folder / "crane.tar")
    steps = []
    for name, tag in (("skopeo", ":v1"), ("crane", "")):
        archive = f"docker-archive:../{name}.tar{tag}"
        steps.append({"id": f"seen_{name}", "inspect": {"reference": archive, "print": "config"}})
        steps.append({"id": name, "copy": {"from": archive, "to": f"{registry.address}/images/from-{name}:v1"}})
    both_ways(folder, steps)
    config = crane("config", "--platform", "linux/amd64", reference)
    for name in ("skopeo", "crane"):
        there = f"{registry.address}/images/from-{name}:v1"
        # Layers stay as they are in the archive; crane looks into compressed ones alone.
        crane("validate", "--fast", "--remote", there)
        equal(crane("config", there), config, f"the config from {name}")
        with tarfile.open(fileobj=io.BytesIO(crane("export", there, "-"))) as exported:
            equal(exported.extractfile(APP_FILE[0]).read().decode(), APP_FILE[1], f"`{APP_FILE[0]}` from {name}")


def layout_in(registry, folder):
    crane("pull", "--format", "oci", f"{registry.address}/images/app:v1", folder / "layout")
    found = json.loads((folder / "layout/index.json").read_text())["manifests"][0]["digest"]
    steps = [{"id": "in", "copy": {"from": f"oci-layout:../layout@{found}", "to": f"{registry.address}/images/laid-out:v1"}}]
    both_ways(folder, steps)
    same_digest(registry, "app:v1", "laid-out:v1")


def hostile(folder):
    """A tar that would write outside is an error, and nothing is written."""
    config = b'{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}'
    listing = json.dumps([{"Config": "../../config.json", "RepoTags": ["a:v1"], "Layers": []}]).encode()
    with tarfile.open(folder / "hostile.tar", "w") as archive:
        for name, content in (("../../config.json", config), ("/etc/passwd", b"x"), ("manifest.json", listing)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    plan = write(folder, [{"id": "in", "copy": {"from": "docker-archive:hostile.tar:v1", "to": "oci-layout:out:v1"}}])
    def lies_there():
        # Where the names in the archive lead to, and where the plan runs, which keeps a journal.
        return sorted(path.name for place in (folder, folder.parent, folder.parent.parent) for path in place.iterdir())

    before = lies_there()
    command = [CONSIGN, "run", plan, "--workdir", folder]
    ended = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=LIMIT)
    equal(ended.returncode, 1, "the exit code")
    if "there is no file `../../config.json` in it" not in ended.stderr:
        raise Failed(f"it says\n{ended.stderr}")
    equal([name for name in lies_there() if name != ".consign"], before, "what lies there")


def checks(ring, folder):
    with Registry("docker-registry", folder / "docker") as docker, Registry("ferro-oci-server", folder / "ferro") as ferro:
        for registry, other in ((docker, ferro), (ferro, docker)):
            name, home = registry.name, folder / f"of-{registry.name}"

            def fresh(check, home=home):
                made = home / check
                made.mkdir(parents=True)
                return made

            ring.check(
                f"{name}: images on a base, indexes, and copies of a part of them are made", made, registry, other, fresh("made")
            )
            for reference in references(registry, other):
                short = reference.partition("/")[2]
                where = name if reference.startswith(registry.address) else other.name
                ring.check(f"{where}: skopeo reads and crane validates {short}", is_read, reference)
            ring.check(f"{name}: an image says what it was made on", says_its_base, registry)
            ring.check(f"{other.name}: the tags that were selected are there, and no others", tags_are_mirrored, other)
            ring.check(f"{name}: umoci unpacks an image with a base", is_unpacked, registry, fresh("unpack"))
            ring.check(f"{name}: umoci unpacks and crane pushes a layout", layout_is_unpacked, registry, fresh("layout"))
            ring.check(f"{name}: skopeo reads an oci-archive, the same bytes each time", oci_archive_out, registry, fresh("out"))
            ring.check(f"{name}: consign takes an oci-archive of skopeo", oci_archive_in, registry, fresh("in"))
            ring.check(f"{name}: consign takes docker-archives of skopeo and crane", docker_archive_in, registry, fresh("docker"))
            ring.check(f"{name}: consign takes a layout of crane", layout_in, registry, fresh("laid"))
    (folder / "hostile/deep/plan").mkdir(parents=True)
    ring.check("a tar that leads outside is an error, and nothing is written", hostile, folder / "hostile/deep/plan")


if __name__ == "__main__":
    sys.exit(alone(checks))
