"""Registries that let only some in: docker-registry with tokens from a service that this module plays, and with passwords
over TLS; and a proxy that leads to them.
"""

import base64
import contextlib
import http.server
import json
import math
import secrets
import select
import socket
import socketserver
import subprocess
import threading
import time
import urllib.parse

from programs import LIMIT, Failed, words
from registries import Registry

ISSUER = "interop-tokens"
SERVICE = "interop-registry"
# docker-registry takes a token this many seconds after it has run out.
LEEWAY = 60
PUSHER = ("pusher", "pusher-hunter2")
PULLER = ("puller", "puller-hunter2")
# Whose password is what follows, hashed by bcrypt; a password for these checks and nothing else.
HTPASSWD = ("me", "htpasswd-hunter2", "$2b$04$Zp19oFi/gKUFUrH68JJuj.ABOC9m6wrf8WfSquv0WiVGsbUjhcGia")


def openssl(*arguments, stdin=b""):
    ended = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, timeout=LIMIT)
    if ended.returncode != 0:
        raise Failed(f"`{words(['openssl', *arguments])}`: {ended.stderr.decode(errors='replace')}")
    return ended.stdout


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


# The token service


class TokenService(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Gives tokens that docker-registry takes, to those who say the right password, and counts.

    `lifetime` is how long the registry takes a token, in seconds, and `announced` what the service
    says about that.
    """

    daemon_threads = True

    def __init__(self, folder):
        self.key, self.cert = certificate(folder, "tokens")
        self._chain = base64.b64encode(openssl("x509", "-in", self.cert, "-outform", "DER")).decode()
        self.lifetime = self.announced = 300
        self.asked = []
        self.given = []
        self.identity = ""
        super().__init__(("127.0.0.1", 0), TokenRequest)
        self.realm = f"http://127.0.0.1:{self.server_address[1]}/token"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def forget(self):
        """From now on, and as every check finds it: nothing asked, tokens of five minutes."""
        self.lifetime = self.announced = 300
        self.asked = []

    def allowed(self, user, scope):
        """The part of a scope that the user may have."""
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        may = {PUSHER[0]: {"pull", "push", "delete", "*"}, PULLER[0]: {"pull"}}.get(user, set())
        return {"type": kind, "name": name, "actions": [action for action in actions.split(",") if action in may]}

    def token(self, user, scopes):
        """A JSON Web Token, signed with RS256 and with the certificate in it."""
        # Never sooner than announced.
        now = math.ceil(time.time())
        # Where it is to run out sooner than the leeway, it has run out already.
        expires = now + self.lifetime - (LEEWAY if self.lifetime < LEEWAY else 0)
        access = [self.allowed(user, scope) for scope in scopes]
        claims = {
            **{"iss": ISSUER, "aud": SERVICE, "sub": user, "exp": expires, "nbf": now - 120, "iat": now},
            **{"jti": secrets.token_hex(8), "access": [each for each in access if each["actions"]]},
        }
        head = {"typ": "JWT", "alg": "RS256", "x5c": [self._chain]}
        text = b".".join(plain(json.dumps(part).encode()) for part in (head, claims))
        signed = (text + b"." + plain(openssl("dgst", "-sha256", "-sign", self.key, stdin=text))).decode()
        self.given.append(signed)
        return signed


def plain(data):
    """base64 as JSON Web Tokens have it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class TokenRequest(http.server.BaseHTTPRequestHandler):
    """GET with a password or as nobody, POST with an identity token."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        user = ""
        if scheme == "Basic":
            user, _, password = base64.b64decode(encoded).decode().partition(":")
            if (user, password) not in (PUSHER, PULLER):
                return self._answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": f"not {password}"}]})
        self._give(user, query.get("scope", []), query.get("service"))

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        form = urllib.parse.parse_qs(body)
        if form.get("grant_type") != ["refresh_token"] or form.get("refresh_token") != [self.server.identity]:
            return self._answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": body}]})
        self._give(PUSHER[0], " ".join(form.get("scope", [])).split(), form.get("service"))

    def _give(self, user, scopes, service):
        if service != [SERVICE]:
            return self._answer(400, {"errors": [{"code": "UNSUPPORTED", "message": f"service {service}"}]})
        self.server.asked.append((user, tuple(scopes)))
        token = self.server.token(user, scopes)
        self._answer(200, {"token": token, "access_token": token, "expires_in": self.server.announced})

    def _answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


# The registries


class TokenRegistry(Registry):
    """docker-registry that takes the tokens of a service."""

    ready = (200, 401)

    def __init__(self, folder, service):
        super().__init__("docker-registry", folder)
        self._service = service

    def _command(self, program):
        command, environment = super()._command(program)
        with open(command[-1], "a") as config:
            config.write(
                "auth:\n  token:\n"
                f"    realm: {self._service.realm}\n    service: {SERVICE}\n    issuer: {ISSUER}\n"
                f"    rootcertbundle: {self._service.cert}\n"
            )
        return command, environment


class PasswordRegistry(Registry):
    """docker-registry over TLS that knows one user."""

    ready = (200, 401)

    def __init__(self, folder, key, cert):
        super().__init__("docker-registry", folder)
        self._key, self._cert = key, cert

    def _command(self, program):
        command, environment = super()._command(program)
        users = self.folder / "htpasswd"
        users.write_text(f"{HTPASSWD[0]}:{HTPASSWD[2]}\n")
        text = command[-1].read_text().replace(
            f'http: {{ addr: "{self.address}" }}',
            f'http: {{ addr: "{self.address}", tls: {{ certificate: {self._cert}, key: {self._key} }} }}',
        )
        command[-1].write_text(f"{text}auth: {{ htpasswd: {{ realm: interop, path: {users} }} }}\n")
        return command, environment

    def ask(self, method, target, headers=None):
        """Whether somebody answers at all: what is said over TLS is for the checks."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10):
            return 200


class Tunnel(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """An HTTP proxy that leads every CONNECT to one port of loopback, whatever the name."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port):
        self.port = port
        self.connects = []
        super().__init__(("127.0.0.1", 0), TunnelRequest)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class TunnelRequest(socketserver.StreamRequestHandler):
    rbufsize = 0

    def handle(self):
        line = self.rfile.readline().decode()
        while self.rfile.readline().strip():
            pass
        self.server.connects.append(line.split(" ")[1] if line.startswith("CONNECT ") else line)
        with socket.create_connection(("127.0.0.1", self.server.port)) as server:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            pair = {self.connection: server, server: self.connection}
            with contextlib.suppress(OSError):
                while True:
                    for ready in select.select(pair, [], [])[0]:
                        data = ready.recv(64 * 1024)
                        if not data:
                            return
                        pair[ready].sendall(data)
