#!/usr/bin/env python3
"""Pushes through a connection that is reset twice: what is sent again, counted on the wire, and the peak memory.

Three registries: one of this file that keeps every byte that came, ferro-oci-server, which keeps whole parts, and
docker-registry, which keeps nothing of what broke off. As a program, `resume.py --size MIB` does it with a larger
file, 1024 MiB by default; the interop ring does it with a smaller one.
"""

import argparse
import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import uuid

from programs import ENVIRONMENT, Failed, consign_command
from registries import Registry, stop_on_signals
from ring import Ring

MIB = 1024 * 1024
# How much the proxy reads at a time; what it has read when it resets is all that can be lost on its way.
PIECE = 256 * 1024
# Heads of requests, manifests, configs.
SMALL_CHANGE = 256 * 1024
# Peak memory of consign.
MEMORY_LIMIT = 64 * MIB
# What consign sends in one part after something broke off.
PART = 64 * MIB


class ResetProxy:
    """Counts what a client sends to `port`, and resets its connection when it has sent as much as each of `limits`."""

    def __init__(self, port, limits):
        self.sent = 0
        self.resets = 0
        self._port = port
        self._limits = sorted(limits, reverse=True)
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            threading.Thread(target=self._up, args=(client, server), daemon=True).start()
            threading.Thread(target=self._down, args=(client, server), daemon=True).start()

    def _up(self, client, server):
        try:
            while piece := client.recv(PIECE):
                with self._lock:
                    self.sent += len(piece)
                    is_over = bool(self._limits) and self.sent >= self._limits[-1]
                    if is_over:
                        self._limits.pop()
                        self.resets += 1
                if is_over:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.close()
                    break
                server.sendall(piece)
        except OSError:
            pass
        finally:
            # In order: what was passed on arrives.
            _shut(server, socket.SHUT_WR)

    def _down(self, client, server):
        try:
            while piece := server.recv(PIECE):
                client.sendall(piece)
        except OSError:
            pass
        finally:
            _shut(client, socket.SHUT_WR)


def _shut(connection, how):
    try:
        connection.shutdown(how)
    except OSError:
        pass


class KeepingRegistry:
    """A registry for one push that keeps every byte that has come, and goes on from there."""

    name = "a registry that keeps every byte"

    def __init__(self):
        self.blobs = {}
        self._uploads = {}
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def answer(self, status, **headers):
                self.send_response(status)
                for header, value in {"Content-Length": "0", **headers}.items():
                    self.send_header(header.replace("_", "-"), str(value))
                self.end_headers()

            def serve(self):
                registry._serve(self)

            do_HEAD = do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = serve

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def blob_size(self, digest):
        return self.blobs.get(digest)

    def _serve(self, request):
        path, _, query = request.path.partition("?")
        upload = re.fullmatch(r"(/v2/.*/blobs/uploads/)(.*)", path)
        if upload and request.command == "POST":
            name = uuid.uuid4().hex
            self._uploads[name] = [threading.Lock(), hashlib.sha256(), 0]
            return request.answer(202, Location=upload[1] + name)
        if upload:
            session = self._uploads[upload[2]]
            # Who asks how far it is waits for what is still coming in.
            with session[0]:
                is_whole = self._take(request, session)
                place = {"Location": path, "Range": f"0-{max(session[2] - 1, 0)}"}
            if not is_whole:
                request.close_connection = True
                return None
            if request.command == "PUT":
                digest = f"sha256:{session[1].hexdigest()}"
                is_right = digest.replace(":", "%3A") in query or digest in query
                if is_right:
                    self.blobs[digest] = session[2]
                return request.answer(201 if is_right else 400)
            return request.answer({"PATCH": 202}.get(request.command, 204), **place)
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if "/manifests/" in path and request.command == "PUT":
            return request.answer(201, Docker_Content_Digest="sha256:" + hashlib.sha256(body).hexdigest())
        digest = path.rpartition("/")[2]
        return request.answer(200 if digest in self.blobs else 404)

    def _take(self, request, session):
        left = int(request.headers.get("Content-Length") or 0)
        begin = request.headers.get("Content-Range")
        if begin and int(begin.partition("-")[0]) != session[2]:
            raise OSError("this part begins elsewhere")
        while left > 0 and (piece := request.rfile.read1(min(left, PIECE))):
            session[1].update(piece)
            session[2] += len(piece)
            left -= len(piece)
        return left == 0


def push(address, file, folder):
    """Pushes a file and returns the digest of its bytes and the peak memory."""
    plan = file.parent / "push.yaml"
    to = f"{address}/large/file:v1"
    step = {"id": "pushed", "push": {"to": to, "artifact_type": "large/example", "files": [{"path": file.name, "name": file.name}]}}
    plan.write_text(json.dumps({"consign": 1, "name": "large", "steps": [step]}))
    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    events = folder / "events.ndjson"
    with open(folder / "stderr", "wb") as stderr:
        process = subprocess.Popen(
            [str(word) for word in consign_command(plan, "--events", events, workdir=work)],
            env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
        )
        # Of this process alone: the registries are children too.
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    if process.returncode != 0:
        failures = [line["failure"]["message"] for line in lines if line.get("failure")]
        raise Failed(f"the push ended with {process.returncode}: {failures}\n{(folder / 'stderr').read_text()[-2000:]}")
    retried = sum(line["event"] == "step_retried" for line in lines)
    return usage.ru_maxrss * 1024, retried


def pushed_through_resets(registry, file, size, allowed, folder):
    """Pushes with two resets on the way; `allowed` bytes may be sent more than there are."""
    with ResetProxy(registry.port, [size * 3 // 10, size * 8 // 10]) as proxy:
        memory, retried = push(proxy.address, file, folder)
    again = proxy.sent - size
    print(f"        {again / MIB:.1f} MiB sent again of {size / MIB:.0f} MiB, {memory / MIB:.1f} MiB of memory", flush=True)
    if proxy.resets != 2 or retried < 2:
        raise Failed(f"{proxy.resets} resets and {retried} retries that were told, 2 of each expected")
    if again > allowed + SMALL_CHANGE:
        raise Failed(f"{again} bytes were sent again, {allowed + SMALL_CHANGE} are allowed")
    if memory > MEMORY_LIMIT:
        raise Failed(f"the peak was {memory} bytes, {MEMORY_LIMIT} are allowed")


def is_there(registry, digest, size):
    if isinstance(registry, KeepingRegistry):
        found = registry.blob_size(digest)
        if found != size:
            raise Failed(f"the blob has {found} bytes there")
    elif (status := registry.ask("HEAD", f"/v2/large/file/blobs/{digest}")) != 200:
        raise Failed(f"the blob is answered with {status}")


def large_file(folder, size):
    """A file of `size` bytes that nothing can compress, and its digest."""
    folder.mkdir(parents=True, exist_ok=True)
    hasher = hashlib.sha256()
    with open(folder / "large.bin", "wb") as out:
        for _ in range(size // MIB):
            piece = os.urandom(MIB)
            hasher.update(piece)
            out.write(piece)
    return folder / "large.bin", f"sha256:{hasher.hexdigest()}"


def checks(ring, folder, size):
    """Each registry with what may be lost: at the first reset 3/10 are sent, at the second 8/10."""
    file, digest = large_file(folder / "plan", size)

    def check(registry, allowed):
        home = folder / registry.name.replace(" ", "-")
        home.mkdir(parents=True, exist_ok=True)
        pushed_through_resets(registry, file, size, allowed, home)
        is_there(registry, digest, size)

    what = f"a push of {size // MIB} MiB through two resets"
    with KeepingRegistry() as registry:
        ring.check(f"{registry.name}: {what} sends only what was lost", check, registry, 2 * PIECE)
    # Of the first request nothing is kept, of the parts after it all but the last.
    with Registry("ferro-oci-server", folder / "ferro") as registry:
        ring.check(f"{registry.name}: {what} sends again what was in one request", check, registry, size * 3 // 10 + PART)
    shutil.rmtree(folder / "ferro", ignore_errors=True)
    with Registry("docker-registry", folder / "docker") as registry:
        ring.check(f"{registry.name}: {what} starts anew and ends well", check, registry, size * 8 // 10)
    shutil.rmtree(folder, ignore_errors=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--size", type=int, default=1024, help="of the file, in MiB; 1024 by default")
    options = arguments.parse_args()
    stop_on_signals()
    ring = Ring()
    with tempfile.TemporaryDirectory() as temporary:
        checks(ring, pathlib.Path(temporary) / "resume", options.size * MIB)
    return 1 if ring.failed else 0


if __name__ == "__main__":
    sys.exit(main())
