#!/usr/bin/env python3
"""A TCP proxy on loopback that adds round-trip time and counts bytes.

Each chunk waits half the round trip in each direction, and the first one of a connection a whole
round trip more, as the handshake would take. Chunks travel beside each other, so the time costs
no throughput.

As a program, `delay_proxy.py --target HOST:PORT --rtt MILLISECONDS` prints its address and serves
until it is interrupted.
"""

import argparse
import asyncio
import threading

CHUNK = 64 * 1024


class DelayProxy:
    """A running proxy; a context manager that stops it. `rtt` is in seconds."""

    def __init__(self, target_port, rtt):
        self.address = ""
        self.connections = 0
        self.sent = 0
        self.received = 0
        self._target_port = target_port
        self._rtt = rtt
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    def _serve(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        pending = asyncio.all_tasks(self._loop)
        for task in pending:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        self._loop.close()

    async def _listen(self):
        self._stopped = asyncio.Event()
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0, backlog=1024)
        self.address = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        server.close()

    async def _connect(self, client, to_client):
        self.connections += 1
        opened = self._loop.time() + self._rtt
        try:
            server, to_server = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            to_client.close()
            return
        try:
            await asyncio.gather(
                self._carry(client, to_server, opened, self._count_sent),
                self._carry(server, to_client, opened, self._count_received),
            )
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            to_server.close()
            to_client.close()

    def _count_sent(self, size):
        self.sent += size

    def _count_received(self, size):
        self.received += size

    async def _carry(self, reader, writer, opened, count):
        """Moves what arrives to `writer`, each chunk as late as the line is long, in order."""
        line = asyncio.Queue()
        delivery = asyncio.ensure_future(self._deliver(line, writer))
        try:
            while chunk := await reader.read(CHUNK):
                count(len(chunk))
                line.put_nowait((self._due(opened), chunk))
        finally:
            line.put_nowait((self._due(opened), b""))
            await delivery

    def _due(self, opened):
        return max(self._loop.time(), opened) + self._rtt / 2

    async def _deliver(self, line, writer):
        while True:
            due, chunk = await line.get()
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            if not chunk:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            writer.write(chunk)
            await writer.drain()


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--target", required=True, help="an address of loopback, HOST:PORT")
    arguments.add_argument("--rtt", type=float, default=50.0, help="in milliseconds")
    options = arguments.parse_args()
    with DelayProxy(int(options.target.rpartition(":")[2]), options.rtt / 1000) as proxy:
        print(proxy.address, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
