"""What the programs of `benches/peers` work on: made anew for each measurement, the same every time."""

import hashlib
import http.client
import json
import pathlib
import random

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = b"{}"
MIB = 1024 * 1024

# How often the words of a text come again: text of which gzip leaves about a fifth.
WORDS = 4000


def write_file(path, size):
    """A file of noise, which nothing can compress."""
    source = random.Random(1)
    with open(path, "wb") as out:
        left = size
        while left > 0:
            piece = source.randbytes(min(left, 16 * MIB))
            out.write(piece)
            left -= len(piece)


def write_tree(folder, files, size):
    """A folder of so many files, `size` bytes in all: most are small texts, a few are large, some are noise."""
    source = random.Random(2)
    words = [source.randbytes(source.randint(1, 6)).hex() for _ in range(WORDS)]
    text = " ".join(source.choice(words) for _ in range(MIB)).encode()
    noise = source.randbytes(4 * MIB)
    # A few files hold most of the bytes, as in every real tree.
    weights = [source.lognormvariate(0, 1.5) for _ in range(files)]
    share = size / sum(weights)
    made = set()
    for number, weight in enumerate(weights):
        length = int(weight * share)
        below = pathlib.Path(folder, f"{number % 61:02}", f"{number % 1789 // 61:02}")
        if below not in made:
            below.mkdir(parents=True)
            made.add(below)
        stock = noise if number % 10 == 0 else text
        with open(below / f"{number:06}.txt", "wb") as out:
            while length > 0:
                start = source.randrange(len(stock) // 2)
                piece = stock[start : start + min(length, len(stock) // 2)]
                out.write(piece)
                length -= len(piece)


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def file_digest(path):
    with open(path, "rb") as content:
        return "sha256:" + hashlib.file_digest(content, "sha256").hexdigest()


class Repository:
    """Fills a repository of a registry on loopback that has no referrers API and asks for no login."""

    def __init__(self, port, name):
        self.name = name
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def _ask(self, method, target, body=b"", headers=None):
        self._connection.request(method, target, body, {"User-Agent": "interop-ring", **(headers or {})})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status not in (201, 202):
            raise SystemExit(f"{method} {target}: {answer.status} {content[:200].decode(errors='replace')}")
        return answer

    def blob(self, content, media_type):
        """Pushes a blob; its descriptor."""
        digest = digest_of(content)
        place = self._ask("POST", f"/v2/{self.name}/blobs/uploads/").getheader("Location")
        place = "/" + place.split("://", 1)[-1].split("/", 1)[1]
        self._ask("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}", content)
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def manifest(self, manifest, tag=None):
        """Pushes a manifest, by its digest or a tag; its descriptor."""
        content = json.dumps(manifest, separators=(",", ":")).encode()
        digest = digest_of(content)
        media_type = manifest["mediaType"]
        self._ask("PUT", f"/v2/{self.name}/manifests/{tag or digest}", content, {"Content-Type": media_type})
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def artifact(self, artifact_type, layer, subject=None, tag=None):
        """Pushes an artifact of one layer; its descriptor as a list of referrers has it."""
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": artifact_type,
            "config": self.blob(EMPTY, "application/vnd.oci.empty.v1+json"),
            "layers": [self.blob(layer, "application/json")],
        }
        if subject:
            manifest["subject"] = {key: subject[key] for key in ("mediaType", "digest", "size")}
        return {**self.manifest(manifest, tag), "artifactType": artifact_type}

    def list_referrers(self, subject, referrers):
        """Writes the list of a subject, as the referrers tag schema has it."""
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": referrers}
        self.manifest(index, subject["digest"].replace(":", "-"))


def fill_with_graph(port, name, referrers):
    """`name:v1` with so many manifests that refer to it, and half as many that refer to half of those."""
    repository = Repository(port, name)
    source = random.Random(3)
    root = repository.artifact("application/vnd.example.program", source.randbytes(256 * 1024), tag="v1")
    reports = []
    for number in range(referrers):
        report = json.dumps({"number": number, "findings": [source.randbytes(24).hex() for _ in range(40)]}).encode()
        reports.append(repository.artifact("sbom/example", report, root))
    repository.list_referrers(root, reports)
    for report in reports[::2]:
        signature = json.dumps({"signs": report["digest"], "by": source.randbytes(64).hex()}).encode()
        repository.list_referrers(report, [repository.artifact("signature/example", signature, report)])


def fill_with_images(port, prefix, count):
    """`prefix-N:v1` for so many N: images of two layers, one of which ten of them share."""
    source = random.Random(4)
    bases = [source.randbytes(400 * 1024) for _ in range(max(1, count // 10))]
    for number in range(count):
        repository = Repository(port, f"{prefix}-{number}")
        config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
        layers = [bases[number % len(bases)], source.randbytes(60 * 1024)]
        config["rootfs"]["diff_ids"] = [digest_of(layer) for layer in layers]
        repository.manifest(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": repository.blob(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
                "layers": [repository.blob(layer, "application/vnd.oci.image.layer.v1.tar") for layer in layers],
            },
            "v1",
        )
