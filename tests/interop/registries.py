#!/usr/bin/env python3
"""Registries that this project did not write, started on loopback and stopped with the caller.

As a program, `registries.py docker-registry|ferro-oci-server [--port N]` starts one, prints its
address and serves until it is interrupted.
"""

import argparse
import http.client
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import typing

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONSIGN = pathlib.Path(os.environ.get("CONSIGN", ROOT / "target/release/consign")).resolve()
TOOLS = pathlib.Path(os.environ.get("CONSIGN_TOOLS", ROOT / "target/interop")).resolve()

# How long a registry may take to answer, in seconds.
START_LIMIT = 20.0
# A line of the access log follows its answer; the log counts as whole once it has been still this long.
SETTLED = 0.05

# Combined log format: `127.0.0.1 - - [time] "PUT /v2/… HTTP/1.1" 201 0 "" "agent"`; `consign serve` adds the seconds.
ACCESS = re.compile(r'"(?P<method>[A-Z]+) (?P<target>\S+) HTTP/[0-9.]+" (?P<status>\d+) \d+ "[^"]*" "(?P<agent>[^"]*)"(?: [0-9.]+)?$')
# What this module asks by itself is told apart from what a client asked.
OWN_AGENT = "interop-ring"


class Request(typing.NamedTuple):
    """One request as the registry logged it."""

    method: str
    target: str
    status: int

    @property
    def writes(self):
        return self.method in ("PUT", "POST", "PATCH", "DELETE")


class Registry:
    """A running registry with fresh storage; a context manager that stops it.

    docker-registry keeps the referrers tag schema, allows deletes and writes an access log;
    ferro-oci-server has the referrers API, refuses to delete a tag and writes no such log;
    `serve` is consign's own, made like docker-registry: with the tag schema, deletes and a log.
    """

    # What `GET /v2/` says when the registry is there.
    ready = (200,)

    def __init__(self, name, folder, port=0):
        self.name = name
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._log = self.folder / "access.log"
        self._process = None

    def __enter__(self):
        program = CONSIGN if self.name == "serve" else TOOLS / "bin" / self.name
        if not program.exists():
            raise SystemExit(f"`{program}` is missing: run tests/interop/install")
        command, environment = self._command(program)
        with open(self._log, "wb") as out, open(self.folder / "errors.log", "wb") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, env={**os.environ, **environment}
            )
        self._wait()
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def processor_time(self):
        """What it has used so far, in seconds."""
        fields = pathlib.Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _command(self, program):
        storage = self.folder / "storage"
        if self.name == "ferro-oci-server":
            return [program], {
                "FERRO_OCI_LISTEN": self.address,
                "FERRO_OCI_STORAGE_DIR": str(storage),
                "RUST_LOG": "warn",
            }
        if self.name == "serve":
            options = ["--listen", self.address, "--root", storage, "--no-referrers", "--access-log", self._log]
            return [program, "serve", *options], {}
        config = self.folder / "config.yaml"
        config.write_text(
            "version: 0.1\n"
            "log: { level: error, accesslog: { disabled: false } }\n"
            f"storage: {{ filesystem: {{ rootdirectory: {storage} }}, delete: {{ enabled: true }} }}\n"
            f'http: {{ addr: "{self.address}" }}\n'
        )
        return [program, "serve", config], {}

    def _wait(self):
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise SystemExit(f"{self.name} ended at once: {(self.folder / 'errors.log').read_text()}")
            try:
                if self.ask("GET", "/v2/") in self.ready:
                    return
            except OSError:
                time.sleep(0.02)
        self.__exit__()
        raise SystemExit(f"{self.name} did not answer within {START_LIMIT:.0f} s")

    def ask(self, method, target, headers=None):
        """The status that `method target` is answered with. It is not counted among the requests."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, target, headers={"User-Agent": OWN_AGENT, **(headers or {})})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def requests(self, since=0):
        """What clients have asked so far, without the first `since`, in the order of the answers."""
        size = -1
        while size != (size := self._log.stat().st_size):
            time.sleep(SETTLED)
        found = []
        for line in self._log.read_text().splitlines():
            match = ACCESS.search(line)
            if match and match["agent"] != OWN_AGENT:
                found.append(Request(match["method"], match["target"], int(match["status"])))
        return found[since:]


def free_port():
    """A port of loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stop_on_signals():
    """Lets `with` blocks end what they started when this program is terminated."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("name", choices=["docker-registry", "ferro-oci-server"])
    arguments.add_argument("--port", type=int, default=0)
    options = arguments.parse_args()
    stop_on_signals()
    with tempfile.TemporaryDirectory() as folder, Registry(options.name, folder, options.port) as registry:
        print(registry.address, flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
