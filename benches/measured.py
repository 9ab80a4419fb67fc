"""Runs one command and prints what it took, as JSON: its seconds, processor time and peak memory.

A process of its own that stays small: what whoever starts a program has in memory counts as the program's peak.
"""

import json
import os
import subprocess
import sys
import time


def main():
    with open(sys.argv[1], "wb") as said:
        start = time.monotonic()
        process = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    memory = usage.ru_maxrss * 1024
    json.dump([process.returncode, seconds, usage.ru_utime + usage.ru_stime, memory], sys.stdout)


if __name__ == "__main__":
    main()
