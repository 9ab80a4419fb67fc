"""Logging in, on docker-registry: with tokens from a service that this module plays, and with
passwords over TLS under a certificate authority of its own.

Every check searches what consign said for the passwords and tokens that took part.
"""

import base64
import contextlib
import hashlib
import json
import os
import pty
import secrets
import select
import subprocess
import sys
import termios
import time

from guarded_registries import HTPASSWD, LEEWAY, PULLER, PUSHER, PasswordRegistry, TokenRegistry, TokenService, Tunnel, certificate
from programs import CONSIGN, ENVIRONMENT, LIMIT, Failed, outcomes, words
from registries import ROOT, TOOLS

sys.path.append(str(ROOT / "benches"))
from delay_proxy import DelayProxy  # noqa: E402: the path is set just above

# Nothing listens under this name: the proxy of the checks leads to it.
TLS_NAME = "registry.example"


def equal(found, expected, what):
    if found != expected:
        raise Failed(f"{what}:\n  found    {found}\n  expected {expected}")


def holds(condition, message):
    if not condition:
        raise Failed(message)


# Programs, each with logins of its own


class Home:
    """Somebody who may be logged in: a folder for `DOCKER_CONFIG`, and what else is in the environment."""

    def __init__(self, folder, hidden=lambda: [], **environment):
        self.folder = folder
        self.config = folder / "config.json"
        # What plans say about registries, and which authority is trusted elsewhere.
        self.registries = {}
        self.trust = None
        self._hidden = hidden
        self._environment = {**ENVIRONMENT, "DOCKER_CONFIG": str(folder), **environment}

    def run(self, *command, stdin="", code=0, **environment):
        """What the program said, stdout and stderr; it must end with that code, or one of those."""
        ended = subprocess.run(
            command,
            **{"env": {**self._environment, **environment}, "cwd": self.folder, "input": stdin.encode()},
            **{"capture_output": True, "timeout": LIMIT},
        )
        said = (ended.stdout + ended.stderr).decode(errors="replace")
        if ended.returncode not in (code if isinstance(code, tuple) else (code,)):
            raise Failed(f"`{words(command)}` ended with {ended.returncode}, not {code}:\n{said[-4000:]}")
        return said

    def consign(self, *arguments, stdin="", code=0, **environment):
        said = self.run(CONSIGN, *arguments, stdin=stdin, code=code, **environment)
        self.keeps_secrets(said, "what consign said")
        return said

    def plan(self, name, steps, *arguments, code=0, **environment):
        """Runs a plan of these steps; the outcomes, and what was said."""
        path, events = self.folder / f"{name}.yaml", self.folder / f"{name}.ndjson"
        plan = {"consign": 1, "name": name, "steps": steps}
        path.write_text(json.dumps({**plan, "registries": self.registries} if self.registries else plan))
        said = self.consign("run", path, "--progress", "plain", "--events", events, *arguments, code=code, **environment)
        text = events.read_text()
        self.keeps_secrets(text, "the events")
        return outcomes(text), said

    def login(self, registry, user, code=0):
        trust = ("--ca-file", self.trust) if self.trust else ()
        return self.consign("login", registry, "-u", user[0], "--password-stdin", *trust, stdin=user[1], code=code)

    def oras(self, *arguments, stdin="", code=0):
        trust = {"SSL_CERT_FILE": str(self.trust)} if self.trust else {}
        return self.run(TOOLS / "bin/oras", *arguments, stdin=stdin, code=code, **trust)

    def entries(self):
        return json.loads(self.config.read_text()).get("auths", {}) if self.config.exists() else {}

    def keeps_secrets(self, text, what):
        for secret in [*(each[1] for each in (PUSHER, PULLER, HTPASSWD)), *self._hidden()]:
            for form in (secret, base64.b64encode(secret.encode()).decode()):
                holds(not secret or form not in text, f"a secret stands in {what}:\n{text[-4000:]}")


# What is checked with tokens


class Tokens:
    """The checks on one registry with its token service."""

    def __init__(self, registry, service, fresh):
        self.registry = registry
        self.address = registry.address
        self.service = service
        self._fresh = fresh

    def home(self, user=None, **environment):
        home = Home(self._fresh(), lambda: [*self.service.given, self.service.identity], **environment)
        if user:
            home.login(self.address, user)
        self.service.forget()
        return home

    def wrong_password(self):
        home = self.home()
        said = home.login(self.address, ("pusher", PULLER[1]), code=1)
        holds(f"`{self.address}` does not take this login, so it is not stored" in said, said)
        holds("UNAUTHORIZED (not ***)" in said, said)
        equal(home.entries(), {}, "what is stored")

    def both_see_a_login(self):
        home = self.home(PUSHER)
        home.plan("push", [push("pushed", f"{self.address}/seen:v1")])
        equal(home.oras("repo", "tags", "--plain-http", f"{self.address}/seen").split(), ["v1"], "what oras lists")
        home.consign("logout", self.address)
        home.oras("repo", "tags", "--plain-http", f"{self.address}/seen", code=1)
        home.oras("login", "--plain-http", "-u", PUSHER[0], "--password-stdin", self.address, stdin=PUSHER[1])
        outcome, _ = home.plan("again", [push("pushed", f"{self.address}/seen:v1")])
        equal(outcome, {"pushed": "unchanged"}, "the outcome with the login of oras")

    def prompts(self):
        """In a terminal the password is asked for, and not shown."""
        home = self.home()
        main, other = pty.openpty()
        command = [CONSIGN, "login", self.address, "-u", PUSHER[0]]
        with os.fdopen(main, "rb+", buffering=0) as terminal:
            process = subprocess.Popen(
                command, env=home._environment, stdin=other, stdout=other, stderr=other, start_new_session=True
            )
            os.close(other)
            said = b""
            while b"password: " not in said:
                holds(select.select([terminal], [], [], 10)[0], "nothing was asked")
                said += terminal.read(1024)
            # What is typed before the terminal has been told to show nothing is thrown away.
            deadline = time.monotonic() + 10
            while termios.tcgetattr(terminal)[3] & termios.ECHO:
                holds(time.monotonic() < deadline, "the terminal would show the password")
                time.sleep(0.01)
            terminal.write(PUSHER[1].encode() + b"\n")
            with contextlib.suppress(OSError):  # Linux says so when the other end is closed.
                while select.select([terminal], [], [], 10)[0]:
                    said += terminal.read(1024)
            try:
                equal(process.wait(10), 0, f"the exit code after {said}")
            finally:
                process.kill()
        home.keeps_secrets(said.decode(), "the terminal")
        equal(list(home.entries()), [self.address], "what is stored")

    def helper_is_shared(self):
        """consign and oras keep and find logins with one helper."""
        home = self.home()
        helpers = self._fresh()
        script = (
            "#!/usr/bin/env python3\nimport json, pathlib, sys\n"
            "kept = pathlib.Path(__file__).parent / 'kept.json'\n"
            "logins = json.loads(kept.read_text()) if kept.exists() else {}\n"
            "said = sys.stdin.read()\n"
            "if sys.argv[1] == 'get':\n"
            "    if said.strip() not in logins:\n"
            "        sys.exit(print('credentials not found in native keychain') or 1)\n"
            "    print(json.dumps(logins[said.strip()]))\n"
            "elif sys.argv[1] == 'store':\n"
            "    logins[json.loads(said)['ServerURL']] = json.loads(said)\n"
            "elif sys.argv[1] == 'erase':\n"
            "    logins.pop(said.strip(), None)\n"
            "kept.write_text(json.dumps(logins))\n"
        )
        (helpers / "docker-credential-interop").write_text(script)
        (helpers / "docker-credential-interop").chmod(0o755)
        home = Home(home.folder, home._hidden, PATH=f"{helpers}:{os.environ['PATH']}")
        home.config.write_text(json.dumps({"credsStore": "interop", "unknown": {"z": 1, "a": 2}}))
        before = home.config.read_text()
        said = home.login(self.address, PUSHER)
        holds("stored in `docker-credential-interop`" in said and "unencrypted" not in said, said)
        equal(home.config.read_text(), before, "the configuration")
        home.plan("push", [push("pushed", f"{self.address}/helped:v1")])
        equal(home.oras("repo", "tags", "--plain-http", f"{self.address}/helped").split(), ["v1"], "what oras lists")
        home.consign("logout", self.address)
        home.oras("repo", "tags", "--plain-http", f"{self.address}/helped", code=1)
        home.oras("login", "--plain-http", "-u", PUSHER[0], "--password-stdin", self.address, stdin=PUSHER[1])
        outcome, _ = home.plan("again", [push("pushed", f"{self.address}/helped:v1")])
        equal(outcome, {"pushed": "unchanged"}, "the outcome with the login of oras")

    def identity_token(self):
        self.service.identity = secrets.token_urlsafe(24)
        home = self.home()
        said = home.consign("login", self.address, "--identity-token-stdin", stdin="wrong-" + self.service.identity, code=1)
        holds("does not take this login" in said, said)
        home.consign("login", self.address, "--identity-token-stdin", stdin=self.service.identity)
        equal(home.entries(), {self.address: {"identitytoken": self.service.identity}}, "what is stored")
        home.plan("push", [push("pushed", f"{self.address}/identity:v1")])
        equal(home.oras("repo", "tags", "--plain-http", f"{self.address}/identity").split(), ["v1"], "what oras lists")

    def whole_graph(self):
        """Push, attach and copy to another repository of the registry; tokens are asked for once each."""
        home = self.home(PUSHER)
        source, target = f"{self.address}/graph/source", f"{self.address}/graph/target"
        before = len(self.registry.requests())
        attaches = [attach(f"attached_{number}", f"{source}:v1") for number in range(8)]
        copy = {"id": "copied", "copy": {"from": f"{source}:v1", "to": f"{target}:v1"}}
        seen = {"id": "seen", "discover": {"subject": f"{target}:v1", "expect": 8}}
        home.plan("graph", [push("pushed", f"{source}:v1"), *attaches, copy, seen])
        mounts = [each for each in self.registry.requests(before) if "mount=" in each.target and "from=" in each.target]
        holds(any(each.status == 201 for each in mounts), f"nothing was mounted: {mounts}")
        self._asked_once()
        expected = {
            ("repository:graph/source:pull",),
            ("repository:graph/source:pull,push",),
            ("repository:graph/target:pull",),
            ("repository:graph/target:pull,push",),
            ("repository:graph/target:pull,push", "repository:graph/source:pull"),
        }
        found = {scopes for _, scopes in self.service.asked}
        holds(found <= expected, f"scopes that nobody needs: {sorted(found - expected)}")

    def many_repositories(self):
        """However many repositories take part, each token is for one, but for the source of a mount."""
        home = self.home(PUSHER)
        steps = [push(f"pushed_{number}", f"{self.address}/many/r{number}:v1") for number in range(12)]
        home.plan("many", steps, "--jobs", "16")
        self._asked_once()

    def _asked_once(self):
        asked = self.service.asked
        twice = sorted({each for each in asked if asked.count(each) > 1})
        holds(asked and not twice, f"asked for more than once: {twice}")
        holds(all(len(scopes) <= 2 for _, scopes in asked), f"a scope has grown: {asked}")

    def puller(self):
        self.home(PUSHER).plan("push", [push("pushed", f"{self.address}/shared:v1")])
        home = self.home(PULLER)
        outcome, _ = home.plan("pull", [{"id": "pulled", "pull": {"from": f"{self.address}/shared:v1", "to": "out"}}])
        equal(outcome, {"pulled": "created"}, "the outcome of the pull")
        self.service.forget()
        for name, reference, steps in [
            ("write", "shared", [push("pushed", f"{self.address}/shared:v2")]),
            ("attach", "shared", [attach("attached", f"{self.address}/shared:v1")]),
        ]:
            outcome, said = home.plan(name, steps, code=1)
            equal(list(outcome.values()), ["failed"], "the outcome")
            for part in (
                "401 Unauthorized: UNAUTHORIZED (authentication required)",
                f"the login comes from `{home.config}`, entry `{self.address}`",
                f"this user may not push to `{self.address}/{reference}`: ask for the permission",
            ):
                holds(part in said, f"`{part}` is not in:\n{said}")
        pushes = [each for each in self.service.asked if any(",push" in scope for scope in each[1])]
        equal(len(pushes), 2, "the tokens asked for to push, in two runs")

    def nobody(self):
        home = self.home()
        _, said = home.plan("write", [push("pushed", f"{self.address}/shared:v3")], code=1)
        for part in (
            f"there is no login for `{self.address}`",
            f"log in with `consign login {self.address} -u USER`",
        ):
            holds(part in said, f"`{part}` is not in:\n{said}")

    def expiry(self, announced):
        """Tokens of a second or two, over a line that makes the run longer than a few of them."""
        home = self.home(PUSHER)
        self.service.lifetime, self.service.announced = 2, announced
        repository = f"expiry/announced-{announced}"
        before = len(self.registry.requests())
        with DelayProxy(self.registry.port, 0.2) as line:
            home.login(line.address, PUSHER)
            self.service.asked = []
            steps = [push(f"pushed_{number}", f"{line.address}/{repository}:v{number}") for number in range(8)]
            outcome, said = home.plan("expiry", steps, "--jobs", "1")
        equal(set(outcome.values()), {"created"}, f"the outcomes of\n{said}")
        pushes = self.service.asked.count((PUSHER[0], (f"repository:{repository}:pull,push",)))
        holds(2 < pushes <= 16, f"{pushes} tokens were asked for to push")
        refused = sum(each.status == 401 for each in self.registry.requests(before))
        if announced > LEEWAY:
            holds(refused > 2, f"only {refused} requests were refused: no token ran out")
        else:
            # Who knows when a token runs out does not send it: the first requests ask what is wanted.
            holds(refused <= 3, f"{refused} requests were refused")


def push(name, reference):
    """Content of its own for each name: two blobs, one of which has a session of its own."""
    content = hashlib.sha256(f"{name} {reference}".encode()).hexdigest()
    return {
        "id": name,
        "push": {"to": reference, "artifact_type": "app/example", "files": [{"name": "note.txt", "content": content * 40}]},
    }


def attach(name, subject):
    files = [{"name": f"{name}.txt", "content": f"{name}\n"}]
    return {"id": name, "attach": {"subject": subject, "artifact_type": "note/example", "files": files}}


def token_checks(ring, folder, fresh):
    folder.mkdir(parents=True)
    with TokenService(folder) as service, TokenRegistry(folder / "registry", service) as registry:
        tokens = Tokens(registry, service, lambda: fresh(folder))
        for name, body, *arguments in [
            ("a wrong password is not stored", tokens.wrong_password),
            ("oras sees the login of consign, and consign that of oras", tokens.both_see_a_login),
            ("consign and oras share a credential helper", tokens.helper_is_shared),
            ("the password is asked for in a terminal, and not shown", tokens.prompts),
            ("an identity token logs in, and oras sees it", tokens.identity_token),
            ("push, attach and copy with one token for each repository and action", tokens.whole_graph),
            ("twelve repositories at once need no token twice", tokens.many_repositories),
            ("who may only pull is told so", tokens.puller),
            ("who is not logged in is told so", tokens.nobody),
            ("tokens that run out during a run are fetched anew in time", tokens.expiry, 2),
            ("tokens that run out sooner than announced are replaced", tokens.expiry, 300),
        ]:
            ring.check(f"docker-registry with tokens: {name}", body, *arguments)


# What is checked with a password over TLS


class Passwords:
    """The checks on one registry over TLS, whose name only the tunnel knows."""

    def __init__(self, tunnel, authority, fresh):
        self._tunnel = tunnel
        self._authority = authority
        self._fresh = fresh

    def home(self, trusts=True):
        """Somebody who trusts the authority by what they say to consign, and oras by the environment."""
        home = Home(self._fresh(), HTTPS_PROXY=self._tunnel.url, NO_PROXY="")
        if trusts:
            home.trust = self._authority
            home.registries = {TLS_NAME: {"ca_file": str(self._authority)}}
        return home

    def wrong_password(self):
        home = self.home()
        said = home.login(TLS_NAME, ("me", "wrong"), code=1)
        holds(f"`{TLS_NAME}` does not take this login, so it is not stored" in said and "401" in said, said)
        equal(home.entries(), {}, "what is stored")

    def unknown_authority(self):
        home = self.home(trusts=False)
        start = time.monotonic()
        said = home.login(TLS_NAME, HTPASSWD, code=1)
        holds("certificate" in said and "so it is not stored" in said and "`--ca-file`" in said, said)
        holds(time.monotonic() - start < 3, "it was tried again")
        equal(home.entries(), {}, "what is stored")

    def whole_graph(self):
        home = self.home()
        home.login(TLS_NAME, HTPASSWD)
        source, target = f"{TLS_NAME}/graph/source", f"{TLS_NAME}/graph/target"
        steps = [
            push("pushed", f"{source}:v1"),
            attach("attached", f"{source}:v1"),
            {"id": "copied", "copy": {"from": f"{source}:v1", "to": f"{target}:v1"}},
            {"id": "pulled", "pull": {"from": f"{target}:v1", "to": "out"}},
        ]
        outcome, _ = home.plan("graph", steps)
        equal(set(outcome.values()), {"created"}, "the outcomes")
        equal(home.oras("repo", "tags", "--exclude-digest-tags", target).split(), ["v1"], "what oras lists")
        found = json.loads(home.oras("discover", "--format", "json", f"{target}:v1"))
        equal([each["artifactType"] for each in found["referrers"]], ["note/example"], "what oras discovers")
        equal(set(self._tunnel.connects), {f"{TLS_NAME}:443"}, "where requests went")

    def changed_password(self):
        """A login that was right once: the run says which one it is."""
        home = self.home()
        home.oras("login", "-u", HTPASSWD[0], "--password-stdin", TLS_NAME, stdin=HTPASSWD[1])
        wrong = base64.b64encode(f"{HTPASSWD[0]}:of-last-year".encode()).decode()
        home.config.write_text(json.dumps({"auths": {TLS_NAME: {"auth": wrong}}}))
        _, said = home.plan("push", [push("pushed", f"{TLS_NAME}/changed:v1")], code=1)
        for part in (
            f"the login comes from `{home.config}`, entry `{TLS_NAME}`",
            f"the registry does not take this login: run `consign login {TLS_NAME} -u USER`",
        ):
            holds(part in said, f"`{part}` is not in:\n{said}")
        holds(wrong not in said and "of-last-year" not in said, "the password was shown")


def password_checks(ring, folder, fresh):
    folder.mkdir(parents=True)
    authority = certificate(folder, "authority")
    names = ("subjectAltName=DNS:" + TLS_NAME, "basicConstraints=critical,CA:FALSE")
    key, cert = certificate(folder, "server", *names, authority=authority)
    with PasswordRegistry(folder / "registry", key, cert) as registry, Tunnel(registry.port) as tunnel:
        passwords = Passwords(tunnel, authority[1], lambda: fresh(folder))
        for name, body in [
            ("a wrong password is not stored", passwords.wrong_password),
            ("an unknown authority gets no password", passwords.unknown_authority),
            ("push, attach, copy and pull, and oras reads it", passwords.whole_graph),
            ("a password that has changed is named by its place", passwords.changed_password),
        ]:
            ring.check(f"docker-registry with a password over TLS: {name}", body)


def checks(ring, folder, fresh):
    """All of it; `fresh` makes a new folder in a folder."""
    token_checks(ring, folder / "tokens", fresh)
    password_checks(ring, folder / "passwords", fresh)
