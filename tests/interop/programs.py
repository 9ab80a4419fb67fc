"""The programs of the ring as functions: arguments in, stdout out, `Failed` with all that was said."""

import itertools
import json
import os
import pathlib
import subprocess
import tempfile

from registries import CONSIGN, ROOT, TOOLS

# For names of folders: each check has its own.
NUMBERS = itertools.count(1)

# A program that takes longer than this, in seconds, hangs.
LIMIT = 120

# Nobody's logins and settings take part.
_HOME = tempfile.TemporaryDirectory()
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name not in ("REGISTRY_AUTH_FILE", "GITHUB_ACTIONS")},
    "HOME": _HOME.name,
    "DOCKER_CONFIG": _HOME.name,
    "XDG_RUNTIME_DIR": _HOME.name,
    "XDG_CONFIG_HOME": _HOME.name,
}


class Failed(Exception):
    """A check does not hold, in words."""


def run(command, cwd=None, environment=None):
    """The stdout, as bytes, of a command that must succeed."""
    environment = {**ENVIRONMENT, **(environment or {})}
    try:
        ended = subprocess.run(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"`{words(command)}` did not end within {LIMIT} s") from None
    if ended.returncode != 0:
        said = (ended.stdout[-2000:] + ended.stderr[-4000:]).decode(errors="replace")
        raise Failed(f"`{words(command)}` ended with {ended.returncode}:\n{said}")
    return ended.stdout


def words(command):
    return " ".join([pathlib.Path(command[0]).name, *map(str, command[1:])])


def oras(*arguments, cwd=None):
    """`oras` over plain HTTP."""
    return run([TOOLS / "bin/oras", *arguments, "--plain-http"], cwd)


def crane(*arguments):
    return run([TOOLS / "bin/crane", *arguments, "--insecure"])


def skopeo_inspect(reference, *arguments):
    return run([TOOLS / "bin/skopeo", "inspect", "--tls-verify=false", *arguments, f"docker://{reference}"])


def consign_command(plan, *arguments, workdir):
    """`consign run` of a plan; what it pulls lands under `workdir`."""
    return [CONSIGN, "run", plan, "--progress", "none", "--workdir", workdir, *arguments]


def consign(plan, *arguments, workdir, environment=None):
    """Runs a plan; the outcome of each step, by its id."""
    workdir.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=workdir.parent, suffix=".ndjson") as events:
        run(consign_command(plan, "--events", events.name, *arguments, workdir=workdir), workdir, environment)
        return outcomes(pathlib.Path(events.name).read_text())


def outcomes(text):
    """The outcome of each step out of the event stream, by its id."""
    events = [json.loads(line) for line in text.splitlines() if line.strip()]
    return {event["step"]: event["outcome"] for event in events if event.get("event") == "step_finished"}


def plan_of(path, name, steps):
    """Writes a plan; JSON is YAML."""
    path.write_text(json.dumps({"consign": 1, "name": name, "steps": steps}, ensure_ascii=False))
    return path


def fresh(folder):
    """A new folder in `folder`. Its name may stand in a repository's: `tempfile` makes names that end with `_`, which no repository may."""
    made = folder / f"check{next(NUMBERS)}"
    made.mkdir(parents=True)
    return made
