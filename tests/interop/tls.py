"""`registries:` of a plan, on docker-registry: a certificate authority of its own, certificates of
clients, and a mirror.
"""

import hashlib
import http.client
import json
import ssl
import subprocess

from programs import CONSIGN, ENVIRONMENT, LIMIT, Failed, words
from registries import OWN_AGENT, Registry

CONTENT = b"interop " * 300_000
# Otherwise openssl makes another authority of it.
LEAF = "basicConstraints=critical,CA:FALSE"


def openssl(*arguments):
    ended = subprocess.run(["openssl", *arguments], capture_output=True, timeout=LIMIT)
    if ended.returncode != 0:
        raise Failed(f"`{words(['openssl', *arguments])}`: {ended.stderr.decode(errors='replace')}")


def certificate(folder, name, *extensions, authority=None):
    """A key and a certificate in `folder`, signed by itself or by an authority made here before."""
    key, cert = folder / f"{name}.key", folder / f"{name}.pem"
    signer = ["-CA", authority[1], "-CAkey", authority[0]] if authority else []
    extended = [part for extension in extensions for part in ("-addext", extension)]
    openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", "2", "-subj", f"/CN={name}"),
        *("-keyout", key, "-out", cert, *extended, *signer),
    )
    return key, cert


class House:
    """A certificate authority, with what it has signed."""

    def __init__(self, folder):
        folder.mkdir(parents=True)
        self.folder = folder
        self.authority = certificate(folder, "house", "basicConstraints=critical,CA:TRUE")
        self.server = certificate(folder, "server", LEAF, "subjectAltName=IP:127.0.0.1", authority=self.authority)
        self.client = certificate(folder, "client", LEAF, "extendedKeyUsage=clientAuth", authority=self.authority)


class TlsRegistry(Registry):
    """docker-registry over TLS, for clients that the house knows."""

    def __init__(self, house, folder):
        self.house = house
        super().__init__("docker-registry", folder)

    def _command(self, program):
        command, environment = super()._command(program)
        (key, cert), (_, authority) = self.house.server, self.house.authority
        config = self.folder / "config.yaml"
        tls = f"{{ certificate: {cert}, key: {key}, clientcas: [{authority}] }}"
        config.write_text(config.read_text().replace("http: {", f"http: {{ tls: {tls},"))
        return command, environment

    def ask(self, method, target, headers=None):
        context = ssl.create_default_context(cafile=self.house.authority[1])
        key, cert = self.house.client
        context.load_cert_chain(cert, key)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=context)
        try:
            connection.request(method, target, headers={"User-Agent": OWN_AGENT, **(headers or {})})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()


def run(folder, registries, steps):
    """Exit code, stdout and stderr of a plan with these registries and steps."""
    folder.mkdir(parents=True)
    (folder / "content").write_bytes(CONTENT)
    plan = folder / "plan.yaml"
    # JSON is YAML.
    whole = {"consign": 1, "defaults": {"retry": {"max": 1}}, "registries": registries, "steps": steps}
    plan.write_text(json.dumps(whole))
    ended = subprocess.run(
        [CONSIGN, "run", plan, "--progress", "plain", "--workdir", folder / "work"],
        **{"env": ENVIRONMENT, "stdin": subprocess.DEVNULL, "capture_output": True, "timeout": LIMIT},
    )
    return ended.returncode, ended.stdout.decode(), ended.stderr.decode()


def succeeds(folder, registries, steps):
    code, out, err = run(folder, registries, steps)
    if code != 0:
        raise Failed(f"the plan ended with {code}:\n{out}{err}")
    return out


def fails(folder, registries, steps, *said):
    code, out, err = run(folder, registries, steps)
    if code == 0 or any(each not in err.lower() for each in said):
        raise Failed(f"the plan ended with {code}, and should have said {said}:\n{out}{err}")


def push(address):
    return [
        {"id": "app", "push": {"to": f"{address}/app:v1", "files": [{"path": "content"}]}},
        {
            "id": "sbom",
            "attach": {
                "subject": f"{address}/app:v1",
                "artifact_type": "sbom/example",
                "files": [{"name": "sbom.json", "json": {"good": True}}],
            },
        },
        {"id": "tree", "discover": {"subject": f"{address}/app:v1", "expect": "one", "print": "tree"}},
    ]


def known(house, registry, folder):
    key, cert = house.client
    told = {"ca_file": str(house.authority[1]), "client_cert": str(cert), "client_key": str(key)}
    tree = succeeds(folder, {registry.address: told}, push(registry.address))
    if "sbom/example" not in tree:
        raise Failed(f"the tree is:\n{tree}")


def unknown(house, registry, folder):
    """Neither believes the other: nothing reaches the registry."""
    before = len(registry.requests())
    key, cert = house.client
    authority = {"ca_file": str(house.authority[1])}
    client = {"client_cert": str(cert), "client_key": str(key)}
    fails(folder / "nobody", {registry.address: authority}, push(registry.address), "certificate")
    fails(folder / "anybody", {registry.address: client}, push(registry.address), "certificate")
    if found := registry.requests(before):
        raise Failed(f"the registry was asked: {found}")


def mirrored(registry, mirror, folder):
    """Content by digest comes from the mirror alone, and from the registry where the mirror is gone."""
    for each in (registry, mirror):
        succeeds(folder / each.folder.name, {}, push(each.address))
    out = succeeds(folder / "resolve", {}, [{"id": "v1", "inspect": {"reference": f"{registry.address}/app:v1", "print": "descriptor"}}])
    digest = json.loads(out)["digest"]
    pull = [{"id": "pull", "pull": {"from": f"{registry.address}/app@{digest}", "to": "there"}}]
    told = {registry.address: {"mirrors": [mirror.address]}}
    before = len(registry.requests()), len(mirror.requests())
    succeeds(folder / "both", told, pull)
    pulled(folder / "both")
    if found := [each for each in registry.requests(before[0]) if each.method == "GET"]:
        raise Failed(f"the registry was asked for content: {found}")
    if not any("/blobs/" in each.target for each in mirror.requests(before[1])):
        raise Failed("the mirror was not asked for a blob")
    return pull, told


def alone(registry, pull, told, folder):
    succeeds(folder, told, pull)
    pulled(folder)


def pulled(folder):
    found = hashlib.sha256((folder / "work/there/content").read_bytes()).hexdigest()
    if found != hashlib.sha256(CONTENT).hexdigest():
        raise Failed("what was pulled is something else")


def checks(ring, folder):
    """All of them, in folders of their own below `folder`."""
    house = House(folder / "house")
    with TlsRegistry(house, folder / "tls") as registry:
        ring.check("tls: a private authority and a certificate of the client", known, house, registry, folder / "known")
        ring.check("tls: who is not known gets nowhere", unknown, house, registry, folder / "unknown")
    with Registry("docker-registry", folder / "registry") as registry:
        with Registry("docker-registry", folder / "mirror") as mirror:
            found = ring.check("mirror: content by digest", mirrored, registry, mirror, folder / "mirrored")
        if found:
            ring.check("mirror: gone", alone, registry, *found, folder / "alone")
