"""A ring of checks: what held, and what did not."""

import pathlib
import tempfile
import time

from programs import Failed
from registries import stop_on_signals


def alone(checks):
    """Runs `checks(ring, folder)` alone; the exit code."""
    stop_on_signals()
    ring = Ring()
    with tempfile.TemporaryDirectory() as folder:
        checks(ring, pathlib.Path(folder))
    return 1 if ring.failed else 0


class Ring:
    """Counts what held and what did not."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, name, body, *arguments):
        """Prints one line; what `body` returned, or None where it failed."""
        start = time.monotonic()
        try:
            value = body(*arguments)
        except Failed as failure:
            self._fail(name, str(failure))
        except Exception as error:  # A check that breaks has not passed, and the next ones still run.
            self._fail(name, f"{type(error).__name__}: {error}")
        else:
            self.passed += 1
            print(f"ok      {name} ({time.monotonic() - start:.1f} s)", flush=True)
            return value
        return None

    def _fail(self, name, message):
        self.failed += 1
        # In one piece: other parts of the ring say something too.
        print("\n".join([f"FAILED  {name}", *(f"        {line}" for line in message.splitlines())]), flush=True)
