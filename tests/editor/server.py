"""A language server as an editor talks to it: JSON-RPC over stdin and stdout."""

import json
import pathlib
import queue
import subprocess
import threading

# How long one answer may take, in seconds.
LIMIT = 30


class Failed(Exception):
    """What was asked did not come out as it should."""


class Server:
    """yaml-language-server, told that every YAML file is a plan."""

    def __init__(self, command, folder, schema):
        self.folder = pathlib.Path(folder)
        self.settings = {
            "yaml": {
                "schemas": {schema.as_uri(): "*.yaml"},
                "schemaStore": {"enable": False},
                "validate": True,
                "completion": True,
                "hover": True,
            }
        }
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.messages = queue.Queue()
        self.last = 0
        self.diagnostics = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self):
        self.ask(
            "initialize",
            {
                "processId": None,
                "rootUri": self.folder.as_uri(),
                "capabilities": {
                    "workspace": {"configuration": True},
                    "textDocument": {
                        "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
                        "hover": {"contentFormat": ["markdown"]},
                    },
                },
            },
        )
        self.tell("initialized", {})
        self.tell("workspace/didChangeConfiguration", {"settings": self.settings})
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def _listen(self):
        stream = self.process.stdout
        while True:
            length = None
            while (line := stream.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if length is None:
                self.messages.put(None)
                return
            self.messages.put(json.loads(stream.read(length)))

    def _send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def _next(self):
        """One message, what the server itself asks for answered."""
        try:
            message = self.messages.get(timeout=LIMIT)
        except queue.Empty:
            raise Failed(f"the language server says nothing for {LIMIT} s") from None
        if message is None:
            raise Failed("the language server has ended")
        method = message.get("method")
        if method == "textDocument/publishDiagnostics":
            self.diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif method and "id" in message:
            sections = message["params"].get("items", []) if method == "workspace/configuration" else []
            result = [self.settings.get(item.get("section"), {}) for item in sections]
            self._send({"id": message["id"], "result": result or None})
        return message

    def tell(self, method, params):
        self._send({"method": method, "params": params})

    def ask(self, method, params):
        self.last += 1
        self._send({"id": self.last, "method": method, "params": params})
        while True:
            message = self._next()
            if message.get("id") == self.last and "method" not in message:
                if "error" in message:
                    raise Failed(f"{method}: {message['error']}")
                return message["result"]

    def open(self, name, text):
        """Opens a file with that text; its URI."""
        uri = (self.folder / name).as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.diagnostics.pop(uri, None)
        self.tell("textDocument/didOpen", {"textDocument": document})
        return uri

    def wrong(self, name, text):
        """What is wrong in that text: (line, what is underlined, message)."""
        uri = self.open(name, text)
        while uri not in self.diagnostics:
            self._next()
        lines = text.splitlines()

        def shown(found):
            start, end = found["range"]["start"], found["range"]["end"]
            line = lines[start["line"]] if start["line"] < len(lines) else ""
            stop = end["character"] if end["line"] == start["line"] else len(line)
            return start["line"] + 1, line[start["character"] : stop], found["message"]

        return sorted(shown(found) for found in self.diagnostics[uri])

    def at_mark(self, name, text):
        """Opens the text without the `^` in it, and says where that was."""
        before, after = text.split("^")
        uri = self.open(name, before + after)
        line = before.count("\n")
        return {"textDocument": {"uri": uri}, "position": {"line": line, "character": len(before) - before.rfind("\n") - 1}}

    def completed(self, name, text):
        """What may stand at the `^`, by name."""
        found = self.ask("textDocument/completion", self.at_mark(name, text))
        items = found["items"] if isinstance(found, dict) else found
        return {item["label"]: item for item in items}

    def hovered(self, name, text):
        """What is said of what stands at the `^`."""
        found = self.ask("textDocument/hover", self.at_mark(name, text))
        contents = found["contents"] if found else ""
        return contents["value"] if isinstance(contents, dict) else contents
