"""The requests of a run alone: recorded once, then sent again by plain sockets, in the order that the run kept.

What is left is what the registry itself takes for them: no client that asks the same can take less.
"""

import http.client
import http.server
import re
import threading
import time
import typing

# More than a run has in flight.
WORKERS = 16
UPLOAD = re.compile(r"^(?P<place>.*/blobs/uploads/)[^?]+\?(?P<query>.*)$")
# What holds for one connection only, or is written anew.
HOP = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}


class Recorded(typing.NamedTuple):
    """One request and when it began and ended; for one that goes into an upload session, which request opened that."""

    method: str
    target: str
    headers: dict
    body: bytes
    began: float
    ended: float
    opened_by: int


class Recorder:
    """A proxy before the registry at `port` that remembers every request; a context manager."""

    def __init__(self, port):
        self._requests = {}
        self._lock = threading.Lock()
        self._sessions = {}
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def pass_on(self):
                with recorder._lock:
                    number = len(recorder._requests)
                    recorder._requests[number] = None
                began = time.monotonic()
                body = self._body()
                headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
                connection = http.client.HTTPConnection("127.0.0.1", port)
                connection.request(self.command, self.path, body, {**headers, "Host": self.headers["Host"]})
                answer = connection.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                        self.send_header(name, value)
                length = answer.getheader("Content-Length") if self.command == "HEAD" else len(content)
                self.send_header("Content-Length", str(length or 0))
                self.end_headers()
                # Before the client hears of it: what it asks next comes after this.
                recorder._note(number, self, headers, body, began, answer.getheader("Location", ""))
                self.wfile.write(content)
                connection.close()

            def _body(self):
                if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def _note(self, number, request, headers, body, began, location):
        session = request.path.split("?")[0]
        with self._lock:
            opened_by = self._sessions.get(session, -1)
            if location and "/blobs/uploads/" in location:
                path = "/" + location.split("://", 1)[-1].split("/", 1)[1].split("?")[0]
                self._sessions[path] = number
            self._requests[number] = Recorded(
                request.command, request.path, headers, body, began, time.monotonic(), opened_by
            )

    def requests(self):
        """All of them, in the order in which they began."""
        return [self._requests[number] for number in sorted(self._requests)]


def send_again(requests, port):
    """Sends the same requests to another registry, each as soon as all have ended that had ended when it began; the seconds."""
    ended = [threading.Event() for _ in requests]
    locations, statuses = {}, []
    turn, lock = iter(range(len(requests))), threading.Lock()

    def work():
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while True:
            with lock:
                number = next(turn, None)
            if number is None:
                return
            request = requests[number]
            for before, event in zip(requests[:number], ended):
                if before.ended <= request.began:
                    event.wait()
            target = request.target
            upload = UPLOAD.match(target)
            if upload and request.opened_by in locations:
                digest = [part for part in upload["query"].split("&") if part.startswith("digest=")]
                target = "&".join([locations[request.opened_by], *digest])
            connection.request(request.method, target, request.body or None, request.headers)
            answer = connection.getresponse()
            answer.read()
            location = answer.getheader("Location", "")
            if "/blobs/uploads/" in location:
                locations[number] = "/" + location.split("://", 1)[-1].split("/", 1)[1]
            statuses.append(answer.status)
            ended[number].set()

    threads = [threading.Thread(target=work) for _ in range(WORKERS)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - start
    if any(status >= 400 and status != 404 for status in statuses):
        raise SystemExit(f"the bare requests were refused: {sorted(statuses)}")
    return seconds
