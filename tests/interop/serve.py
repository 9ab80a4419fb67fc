"""`consign serve` with programs that this project did not write: plain, and with passwords over TLS; and killed at work."""

import base64
import hashlib
import http.client
import json
import os
import pathlib
import random
import signal
import ssl
import subprocess
import tarfile
import threading
import time

from programs import CONSIGN, ENVIRONMENT, LIMIT, Failed, words
from registries import ROOT, TOOLS

USER, PASSWORD = "jane", "secret"
# What `htpasswd -nbB jane secret` prints; the cost is low, since nothing here is worth guessing.
USERS = f"{USER}:$2b$05$jRvTKyMbnr6cMXcHdrRpTOsQkcbx9AobAccYmiR1EnsvKS8wp8ssC\n"

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY = {
    "mediaType": "application/vnd.oci.empty.v1+json",
    "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    "size": 2,
}

PUSHES = 200
ROUNDS = 4


class Serve:
    """A running `consign serve`; a context manager that stops it, as asked or not."""

    def __init__(self, folder, *arguments, root=True, port=0):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.root = self.folder / "root"
        self._command = [CONSIGN, "serve", "--listen", f"127.0.0.1:{port}", "--access-log", self.folder / "access.log"]
        self._command += [*arguments, *(["--root", self.root] if root else [])]
        self.address = None
        self.process = None

    def __enter__(self):
        with open(self.folder / "errors.log", "ab") as errors:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=ENVIRONMENT, text=True
            )
        self.address = self.process.stdout.readline().strip()
        if not self.address:
            raise Failed(f"`{words(self._command)}` ended at once: {(self.folder / 'errors.log').read_text()}")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            ended = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failed("the server does not stop") from None
        finally:
            self.process.stdout.close()
        if ended not in (0, -signal.SIGKILL):
            raise Failed(f"the server ended with {ended}: {(self.folder / 'errors.log').read_text()}")

    def kill(self):
        """As by `kill -9`."""
        self.process.kill()
        self.process.wait()


class Clients:
    """The programs, set up to talk to one server."""

    def __init__(self, folder, server, authority=None):
        self.folder = folder
        self.server = server
        self.is_plain = authority is None
        docker = folder / "docker"
        docker.mkdir(parents=True)
        self.environment = {
            **ENVIRONMENT,
            "HOME": str(folder),
            "DOCKER_CONFIG": str(docker),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "COSIGN_PASSWORD": "",
        }
        if not self.is_plain:
            self.environment["SSL_CERT_FILE"] = str(authority)
            self.mapped = f"[::ffff:{server.address.replace(':', ']:')}"
            login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            (docker / "config.json").write_text(json.dumps({"auths": {name: {"auth": login} for name in (server.address, self.mapped)}}))

    def run(self, program, *arguments, cwd=None):
        """Its stdout, as bytes; it must succeed."""
        command = [program if pathlib.Path(program).is_absolute() else TOOLS / "bin" / program, *arguments]
        try:
            ended = subprocess.run(
                command, cwd=cwd or self.folder, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"`{words(command)}` did not end within {LIMIT} s") from None
        if ended.returncode != 0:
            said = (ended.stdout[-2000:] + ended.stderr[-4000:]).decode(errors="replace")
            raise Failed(f"`{words(command)}` ended with {ended.returncode}:\n{said}")
        return ended.stdout

    def plain(self, flag):
        return [flag] if self.is_plain else []

    def oras(self, *arguments):
        return self.run("oras", *arguments, *self.plain("--plain-http"))

    def crane(self, *arguments):
        return self.run("crane", *arguments, *self.plain("--insecure"))

    def cosign(self, *arguments):
        return self.run("cosign", *arguments, *self.plain("--allow-http-registry"))

    def notation(self, command, *arguments):
        return self.run("notation", command, *self.plain("--insecure-registry"), *arguments)

    def skopeo_copy(self, source, target):
        verify = [f"--{side}-tls-verify=false" for side in ("src", "dest") if self.is_plain]
        return self.run("skopeo", "--insecure-policy", "copy", "--preserve-digests", *verify, source, target)

    def consign(self, plan, *arguments):
        """The registry is named so that it is asked as the others ask it: consign takes loopback for plain HTTP."""
        registry = self.server.address if self.is_plain else self.mapped
        return self.run(CONSIGN, "run", plan, "--progress", "none", "--workdir", self.folder, "--set", f"REGISTRY={registry}", *arguments)


def same(found, expected, what):
    if found != expected:
        raise Failed(f"{what}:\n  found    {found}\n  expected {expected}")


# Programs


def oras_works(clients):
    here = f"{clients.server.address}/oras/app"
    (clients.folder / "note.txt").write_text("note\n")
    clients.oras("push", f"{here}:v1", "--artifact-type", "app/example", "note.txt:text/plain")
    clients.oras("attach", f"{here}:v1", "--artifact-type", "sbom/example", "note.txt:text/plain")
    clients.oras("tag", f"{here}:v1", "v2", "latest")
    copy = ["--from-plain-http", "--to-plain-http"] if clients.is_plain else []
    clients.run("oras", "cp", "-r", *copy, f"{here}:v1", f"{here}-copy:v1")
    graph = json.loads(clients.oras("discover", "--format", "json", f"{here}-copy:v1"))
    same([each["artifactType"] for each in graph["referrers"]], ["sbom/example"], "what is attached to the copy")
    clients.oras("pull", "-o", clients.folder / "pulled", f"{here}-copy:v1")
    same((clients.folder / "pulled/note.txt").read_text(), "note\n", "what was pulled")
    same(json.loads(clients.oras("repo", "tags", "--format", "json", here))["tags"], ["latest", "v1", "v2"], "the tags")
    clients.oras("manifest", "delete", "--force", f"{here}-copy:v1")
    same(json.loads(clients.oras("repo", "tags", "--format", "json", f"{here}-copy"))["tags"], [], "the tags that are left")


def crane_works(clients):
    here = f"{clients.server.address}/crane/app"
    layer = clients.folder / "layer.tar"
    with tarfile.open(layer, "w") as archive:
        archive.add(ROOT / "plans/acr-tutorial/readme.md", "readme.md")
    clients.crane("append", "--oci-empty-base", "-f", layer, "-t", f"{here}:v1")
    clients.crane("copy", f"{here}:v1", f"{here}-copy:v2")
    clients.crane("validate", "--remote", f"{here}-copy:v2")
    digest = clients.crane("digest", f"{here}:v1").decode().strip()
    same(clients.crane("digest", f"{here}-copy:v2").decode().strip(), digest, "the digest of the copy")
    same(clients.crane("ls", f"{here}-copy").decode().split(), ["v2"], "the tags")
    if f"{here.partition('/')[2]}-copy" not in clients.crane("catalog", clients.server.address).decode().split():
        raise Failed("the copy is not in the catalog")
    clients.crane("delete", f"{here}-copy@{digest}")
    return f"{here}@{digest}"


def skopeo_works(clients, image):
    here, folder = f"{clients.server.address}/skopeo/app", clients.folder / "skopeo"
    clients.skopeo_copy(f"docker://{image}", f"docker://{here}:v1")
    clients.skopeo_copy(f"docker://{here}:v1", f"dir:{folder}")
    clients.skopeo_copy(f"dir:{folder}", f"docker://{here}:v2")
    verify = ["--tls-verify=false"] if clients.is_plain else []
    tags = json.loads(clients.run("skopeo", "list-tags", *verify, f"docker://{here}"))["Tags"]
    same(tags, ["v1", "v2"], "the tags")
    clients.run("skopeo", "delete", *verify, f"docker://{here}:v1")


def cosign_works(clients, image):
    configuration = ["--signing-config", "signing.json", "--trusted-root", "root.json", "--key", "cosign.key", "-y"]
    clients.run("cosign", "generate-key-pair")
    clients.run("cosign", "signing-config", "create", "--out", "signing.json")
    clients.run("cosign", "trusted-root", "create", "--out", "root.json")
    clients.cosign("sign", *configuration, image)
    clients.cosign("verify", "--key", "cosign.pub", "--insecure-ignore-tlog", "--trusted-root", "root.json", image)
    (clients.folder / "predicate.json").write_text('{"buildDefinition": {}}')
    clients.cosign("attest", *configuration, "--type", "slsaprovenance1", "--predicate", "predicate.json", image)
    verify = ["--key", "cosign.pub", "--insecure-ignore-tlog", "--trusted-root", "root.json", "--type", "slsaprovenance1"]
    clients.cosign("verify-attestation", *verify, image)


def notation_works(clients, image):
    clients.run("notation", "cert", "generate-test", "--default", "ring")
    policy = {
        "name": "ring",
        "registryScopes": ["*"],
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:ring"],
        "trustedIdentities": ["*"],
    }
    (clients.folder / "policy.json").write_text(json.dumps({"version": "1.0", "trustPolicies": [policy]}))
    clients.run("notation", "policy", "import", "policy.json")
    clients.notation("sign", "--force-referrers-tag=false", image)
    clients.notation("verify", image)
    if "application/vnd.cncf.notary.signature" not in clients.notation("ls", image).decode():
        raise Failed("the signature is not listed")


def consign_works(clients):
    plan = ROOT / "plans/acr-tutorial.yaml"
    clients.consign(plan)
    clients.consign(plan, "--skip", "remove_readme,delete_image,delete_staging,gone")


def folder_is_a_layout(clients):
    """What consign pushed, read from the folder by others while the server runs."""
    layout = clients.server.root / "net-monitor"
    graph = json.loads(clients.run("oras", "discover", "--oci-layout", "--format", "json", f"{layout}:v1"))
    same(len(graph["referrers"]), 3, "how many refer to the image")
    clients.skopeo_copy(f"oci:{layout}:v1", f"dir:{clients.folder / 'from-layout'}")
    digest = clients.crane("digest", f"{clients.server.address}/net-monitor:v1").decode().strip()
    manifest = (clients.folder / "from-layout/manifest.json").read_bytes()
    same("sha256:" + hashlib.sha256(manifest).hexdigest(), digest, "the digest of what skopeo read")


def certificates(folder):
    """An authority of our own, and what it says about this machine."""

    def openssl(*arguments):
        ended = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True)
        if ended.returncode != 0:
            raise Failed(f"`openssl {words(arguments)}` ended with {ended.returncode}:\n{ended.stderr}")

    new = ["-newkey", "rsa:2048", "-nodes", "-subj"]
    openssl("req", "-x509", *new, "/CN=authority", "-keyout", "authority.key", "-out", "authority.pem", "-days", "2")
    openssl("req", *new, "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    # Programs in Go refuse a certificate that has the second name in it, though not the name.
    for name, address in (("server", "127.0.0.1"), ("mapped", "::ffff:127.0.0.1")):
        (folder / "names").write_text(f"subjectAltName=IP:{address}\nbasicConstraints=CA:FALSE\n")
        signed = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial", "-extfile", "names"]
        openssl("x509", "-req", "-in", "server.csr", *signed, "-out", f"{name}.pem", "-days", "2")
    return folder


def refuses_strangers(clients):
    """Who has no password gets nothing, and who has a wrong one no more."""
    context = ssl.create_default_context(cafile=clients.environment["SSL_CERT_FILE"])
    host, port = clients.server.address.split(":")
    for password, expected in ((None, 401), ("wrong", 401), (PASSWORD, 200)):
        login = base64.b64encode(f"{USER}:{password}".encode()).decode()
        connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=LIMIT)
        connection.request("GET", "/v2/", headers={"Authorization": f"Basic {login}"} if password else {})
        same(connection.getresponse().status, expected, f"the status with the password {password}")
        connection.close()


# Killed at work


class Pushes(threading.Thread):
    """One client that pushes artifacts, one after the other, until nobody answers. It knows what was acknowledged."""

    def __init__(self, address, number, seed):
        super().__init__(daemon=True)
        self.address = address
        self.number = number
        self.random = random.Random(seed)
        self.blobs = []
        self.manifests = []
        self.failure = None

    def run(self):
        host, port = self.address.split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        repository = f"crash/r{self.number % 8}"
        try:
            self.blob(connection, repository, b"{}", 1)
            for turn in range(1000):
                layer = self.random.randbytes(self.random.randrange(1, 200_000))
                digest = self.blob(connection, repository, layer, turn % 3)
                manifest = json.dumps(
                    {
                        "schemaVersion": 2,
                        "mediaType": OCI_MANIFEST,
                        "config": EMPTY,
                        "layers": [{"mediaType": "a/b", "digest": digest, "size": len(layer)}],
                    }
                ).encode()
                tag = f"t{self.number}-{turn}"
                self.send(connection, "PUT", f"/v2/{repository}/manifests/{tag}", manifest, 201, {"Content-Type": OCI_MANIFEST})
                self.manifests.append((repository, tag, manifest, digest))
        except (OSError, http.client.HTTPException):
            # Killed.
            pass
        except Failed as failure:
            self.failure = failure
        finally:
            connection.close()

    def blob(self, connection, repository, content, how):
        """In one request, in two, or in chunks."""
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        if how == 0:
            self.send(connection, "POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", content, 201)
        else:
            place = self.send(connection, "POST", f"/v2/{repository}/blobs/uploads/", b"", 202)
            half = len(content) // 2 if how == 2 else 0
            if half:
                place = self.send(connection, "PATCH", place, content[:half], 202, {"Content-Range": f"0-{half - 1}"})
            self.send(connection, "PUT", f"{place}?digest={digest}", content[half:], 201)
        self.blobs.append((repository, digest, len(content)))
        return digest

    def send(self, connection, method, path, body, expected, headers=None):
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != expected:
            raise Failed(f"{method} {path} was answered with {answer.status}: {said[:500]}")
        return answer.headers.get("Location")


def crash(folder, moment, seed):
    """Many pushes, `kill -9` at a moment, and everything that was acknowledged is there after a new start."""
    with Serve(folder) as server:
        pushes = [Pushes(server.address, number, seed * PUSHES + number) for number in range(PUSHES)]
        for push in pushes:
            push.start()
        time.sleep(moment)
        server.kill()
        for push in pushes:
            push.join(LIMIT)
            if push.failure:
                raise push.failure
    whole_on_disk(server.root)
    manifests = [each for push in pushes for each in push.manifests]
    blobs = {(repository, digest): size for push in pushes for repository, digest, size in push.blobs}
    with Serve(folder) as server:
        acknowledged(server, manifests, blobs)
        subprocess.run([CONSIGN, "gc", "--root", server.root, "--grace", "0s"], check=True, capture_output=True, timeout=LIMIT)
        for leftover in (*server.root.glob("**/ingest/*"), *(server.root / ".uploads").iterdir()):
            raise Failed(f"gc left {leftover}")
        needed = {(repository, digest) for repository, _, _, digest in manifests}
        acknowledged(server, manifests, {blob: size for blob, size in blobs.items() if blob in needed})
    whole_on_disk(server.root, nothing_more=True)
    return len(manifests), len(blobs)


def whole_on_disk(root, nothing_more=False):
    """Every file that can be seen is what its name says, and index.json names no other."""
    for index in root.glob("**/index.json"):
        entries = json.loads(index.read_bytes())["manifests"]
        files = {path.name: path.read_bytes() for path in (index.parent / "blobs/sha256").iterdir()}
        for name, content in files.items():
            same(hashlib.sha256(content).hexdigest(), name, f"the digest of {index.parent.name}/{name}")
        named = set()
        for entry in entries:
            name = entry["digest"].partition(":")[2]
            same(len(files.get(name, b"")), entry["size"], f"the size of {name}, which index.json names")
            manifest = json.loads(files[name])
            for each in (manifest["config"], *manifest["layers"]):
                digest = each["digest"].partition(":")[2]
                same(len(files.get(digest, b"")), each["size"], f"the size of {digest}, which a manifest names")
                named.add(digest)
            named.add(name)
        if nothing_more:
            same(sorted(files.keys() - named), [], f"what nothing names in {index.parent}")


def acknowledged(server, manifests, blobs):
    host, port = server.address.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)

    def get(method, path):
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Length"), answer.read()

    for repository, tag, manifest, _ in manifests:
        status, _, found = get("GET", f"/v2/{repository}/manifests/{tag}")
        same((status, found), (200, manifest), f"{repository}:{tag}, which was acknowledged")
    for (repository, digest), size in blobs.items():
        status, length, _ = get("HEAD", f"/v2/{repository}/blobs/{digest}")
        same((status, length), (200, str(size)), f"{repository}@{digest}, which was acknowledged")
    connection.close()


# All of it


def programs(ring, name, clients):
    ring.check(f"{name}: oras pushes, attaches, copies, discovers, pulls and deletes", oras_works, clients)
    image = ring.check(f"{name}: crane pushes, copies, validates, lists and deletes", crane_works, clients)
    if image:
        ring.check(f"{name}: skopeo copies to and fro, lists and deletes", skopeo_works, clients, image)
        ring.check(f"{name}: cosign signs, attests and verifies", cosign_works, clients, image)
        ring.check(f"{name}: notation signs, lists and verifies", notation_works, clients, image)


def consigns(ring, name, clients):
    ring.check(f"{name}: consign runs the whole tutorial, and again without its deletes", consign_works, clients)


def checks(ring, folder):
    """Every check of this file."""
    with Serve(folder / "memory", root=False) as server:
        clients = Clients(folder / "memory/home", server)
        programs(ring, "serve in memory", clients)
        consigns(ring, "serve in memory", clients)
    with Serve(folder / "layouts") as server:
        clients = Clients(folder / "layouts/home", server)
        programs(ring, "serve on layouts", clients)
        consigns(ring, "serve on layouts", clients)
        ring.check("serve on layouts: oras and skopeo read the folder as an image layout", folder_is_a_layout, clients)
    (folder / "tls").mkdir()
    authority = ring.check("openssl makes certificates", certificates, folder / "tls")
    for certificate in ("server", "mapped") if authority else ():
        (authority / "users").write_text(USERS)
        tls = ["--tls-cert", authority / f"{certificate}.pem", "--tls-key", authority / "server.key"]
        with Serve(folder / "tls" / certificate, "--htpasswd", authority / "users", *tls) as server:
            clients = Clients(folder / f"tls/{certificate}-home", server, authority / "authority.pem")
            if certificate == "mapped":
                consigns(ring, "serve with TLS and passwords", clients)
            else:
                ring.check("serve with TLS and passwords: strangers get nothing", refuses_strangers, clients)
                programs(ring, "serve with TLS and passwords", clients)
    for number in range(int(os.environ.get("CRASH_ROUNDS", ROUNDS))):
        moment = 0.3 + 0.7 * number % 3.1
        ring.check(
            f"serve: killed after {moment:.1f} s of {PUSHES} pushes at once, it has all that it acknowledged",
            crash,
            folder / f"crash{number}",
            moment,
            number,
        )
