"""How `benches/peers` has each program do its work: consign with a plan, the others as their users call them."""

import pathlib
import shlex
import shutil

from registries import CONSIGN, ROOT, TOOLS

# In the order in which they run and stand in the table.
PEERS = ("oras", "curl", "regctl", "regsync", "skopeo", "crane")


def find(name):
    """The program of that name, from the tools of the interop ring or wherever the shell finds it; or nothing."""
    own = TOOLS / "bin" / name
    return str(own) if own.exists() else shutil.which(name)


def consign(work, steps, name):
    """`consign run` on a plan of these steps, which are lines of YAML."""
    plan = work / f"{name}.yaml"
    plan.write_text("consign: 1\nsteps:\n" + steps)
    return [CONSIGN, "run", plan, "--workdir", work, "--progress", "none"]


def shell(line):
    return ["sh", "-ec", line]


def tutorial(work, registry):
    return {
        "oras": [ROOT / "benches/oras-tutorial.sh", registry, work],
        "consign": [
            *(CONSIGN, "run", ROOT / "plans/acr-tutorial.yaml", "--set", f"REGISTRY={registry}"),
            *("--workdir", work, "--progress", "none"),
        ],
    }


def push_file(work, registry, file, digest):
    place = f"http://{registry}/v2/bench/file/blobs/uploads/"
    find_location = "sed -n 's/^[Ll]ocation: //p' | tr -d '\\r'"
    return {
        "consign": consign(
            work,
            f"  - id: push\n    push: {{ to: {registry}/bench/file:v1, files: [{{ path: {file}, name: file }}] }}\n",
            "push-file",
        ),
        "oras": ["oras", "push", "--plain-http", "--disable-path-validation", f"{registry}/bench/file:v1", file],
        # The bare operation: the digest is known, and there is no manifest.
        "curl": shell(
            f"place=$(curl -fsS -X POST -D - -o /dev/null {place} | {find_location})\n"
            f"curl -fsS -X PUT -T {shlex.quote(str(file))} \"$place&digest={digest}\""
        ),
    }


def pull_file(work, registry, digest):
    return {
        "consign": consign(
            work, f"  - id: pull\n    pull: {{ from: {registry}/bench/file:v1, to: pulled }}\n", "pull-file"
        ),
        "oras": ["oras", "pull", "--plain-http", "-T", "-o", work / "pulled", f"{registry}/bench/file:v1"],
        "curl": ["curl", "-fsS", "-o", work / "pulled", f"http://{registry}/v2/bench/file/blobs/{digest}"],
    }


def push_tree(work, registry, tree):
    files = f"[{{ path: {tree}, name: tree }}]"
    return {
        "consign": consign(
            work, f"  - id: push\n    push: {{ to: {registry}/bench/tree:v1, files: {files} }}\n", "push-tree"
        ),
        "oras": shell(f"cd {shlex.quote(str(tree.parent))} && oras push --plain-http {registry}/bench/tree:v1 ./{tree.name}"),
    }


def pull_tree(work, registry):
    return {
        "consign": consign(
            work, f"  - id: pull\n    pull: {{ from: {registry}/bench/tree:v1, to: pulled }}\n", "pull-tree"
        ),
        "oras": ["oras", "pull", "--plain-http", "-o", work / "pulled", f"{registry}/bench/tree:v1"],
    }


def copy_graph(work, source, target):
    ends = [f"{source}/bench/graph:v1", f"{target}/bench/copy:v1"]
    flags = ["--from-plain-http", "--to-plain-http"]
    return {
        "consign": consign(work, f"  - id: copy\n    copy: {{ from: {ends[0]}, to: {ends[1]} }}\n", "copy"),
        "oras": ["oras", "cp", "-r", *flags, *ends],
        "oras -16": ["oras", "cp", "-r", "--concurrency", "16", *flags, *ends],
        "regctl": ["regctl", *plain(source, target), "image", "copy", "--referrers", *ends],
    }


def discover(work, source):
    root = f"{source}/bench/graph:v1"
    return {
        "consign": consign(work, f"  - id: find\n    discover: {{ subject: {root}, print: tree }}\n", "discover"),
        "oras": ["oras", "discover", "--plain-http", root],
        "regctl": ["regctl", *plain(source), "artifact", "tree", root],
    }


def mirror(work, source, target, count):
    pairs = [(f"{source}/bench/image-{number}:v1", f"{target}/mirror/image-{number}:v1") for number in range(count)]
    steps = "".join(
        f"  - id: copy_{number}\n    copy: {{ from: {there}, to: {here}, referrers: none }}\n"
        for number, (there, here) in enumerate(pairs)
    )
    for_skopeo = work / "skopeo.yaml"
    images = "".join(f'    bench/image-{number}: ["v1"]\n' for number in range(count))
    for_skopeo.write_text(f"{source}:\n  tls-verify: false\n  images:\n{images}")
    for_regsync = work / "regsync.yaml"
    entries = "".join(f"  - {{ source: {there}, target: {here}, type: image }}\n" for there, here in pairs)
    hosts = "".join(f"  - {{ registry: {registry}, tls: disabled }}\n" for registry in (source, target))
    for_regsync.write_text(f"version: 1\ncreds:\n{hosts}defaults: {{ parallel: 16 }}\nsync:\n{entries}")
    skopeo = ["skopeo", "--insecure-policy", "sync", "--dest-tls-verify=false", "--src", "yaml", "--dest", "docker"]
    return {
        "consign": [*consign(work, steps, "mirror"), "--jobs", "16"],
        "regsync": ["regsync", "-c", for_regsync, "once"],
        "skopeo": [*skopeo, for_skopeo, f"{target}/mirror"],
        "crane -8": shell(
            "xargs -P 8 -n 2 crane copy --insecure <<'end'\n" + "".join(f"{a} {b}\n" for a, b in pairs) + "end"
        ),
    }


def version():
    return {"consign": [CONSIGN, "--version"], "oras": ["oras", "version"], "crane": ["crane", "version"]}


def many_steps(work, count):
    """A plan of so many steps, none of which asks a registry anything: what is left is what a step itself costs."""
    steps = "".join(
        f"  - id: step_{number}\n    needs: [{f'step_{number - 1}' if number else ''}]\n"
        f"    assert: {{ equal: [{number}, {number}] }}\n"
        for number in range(count)
    )
    return {"consign": consign(work, steps, "steps")}


def plain(*registries):
    """How regctl is told of a registry without TLS."""
    return [part for registry in registries for part in ("--host", f"reg={registry},tls=disabled")]
