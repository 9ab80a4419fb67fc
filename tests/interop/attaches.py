"""Many attaches to one subject at once, in one run and in two that know nothing of each other: none is lost."""

import contextlib
import subprocess

from programs import ENVIRONMENT, LIMIT, Failed, consign, consign_command, fresh, oras, plan_of
from reading import equal, graph

ATTACHES = 64
RACES = 3


def checks(ring, registry, folder):
    ring.check(f"{registry.name}: {ATTACHES} attaches in one plan are all discoverable", attach_at_once, registry, fresh(folder))
    for number in range(1, RACES + 1):
        ring.check(
            f"{registry.name}: {ATTACHES} attaches by two processes are all discoverable ({number} of {RACES})",
            attach_from_two,
            registry,
            fresh(folder),
            number,
        )


def attach_plan(path, subject, numbers):
    steps = [
        {
            "id": f"attach_{number}",
            "attach": {
                "subject": subject,
                "artifact_type": "note/example",
                "files": [{"name": f"note-{number}.txt", "content": f"note {number}\n", "media_type": "text/plain"}],
            },
        }
        for number in numbers
    ]
    return plan_of(path, "attach-many", steps)


def new_subject(registry, name, folder):
    subject = f"{registry.address}/many/{name}:v1"
    (folder / "subject.txt").write_text(f"{name}\n")
    oras("push", subject, "subject.txt:text/plain", cwd=folder)
    return subject


def all_discoverable(subject):
    found = graph(subject)
    equal((len(found), len({each for _, each, _ in found})), (ATTACHES, ATTACHES), "the referrers found, and how many differ")


def attach_at_once(registry, folder):
    subject = new_subject(registry, "at-once", folder)
    plan = attach_plan(folder / "attach.yaml", subject, range(ATTACHES))
    found = consign(plan, "--jobs", "16", workdir=fresh(folder))
    equal(set(found.values()), {"created"}, "the outcomes")
    all_discoverable(subject)


def attach_from_two(registry, folder, number):
    """Two processes, which know nothing of each other."""
    subject = new_subject(registry, f"from-two-{number}", folder)
    half = ATTACHES // 2
    with contextlib.ExitStack() as stack:
        processes = []
        for part in range(2):
            plan = attach_plan(folder / f"part-{part}.yaml", subject, range(part * half, (part + 1) * half))
            command = consign_command(plan, "--jobs", "16", workdir=fresh(folder))
            process = subprocess.Popen(
                command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
            stack.callback(process.kill)
            processes.append(process)
        for process in processes:
            _, said = process.communicate(timeout=LIMIT)
            if process.returncode != 0:
                raise Failed(f"one of the two ended with {process.returncode}:\n{said[-4000:]}")
    all_discoverable(subject)
