"""Processes that a test starts. Each is stopped by its number; every wait has a deadline."""

import os
import pathlib
import random
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("OUTPORT_BIN", ROOT / "build" / "release" / "bin"))
SANITIZED = "asan" in str(BIN) or "tsan" in str(BIN)
# Sanitizers make everything slower; the deadlines are there to end a hang, not to measure.
PATIENCE = 4 if SANITIZED else 1


def wait_for(what, condition, seconds=20.0):
    """Polls until `condition` returns a true value, and returns it. `what` may be a function."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            what = what() if callable(what) else what
            raise AssertionError(f"waited {seconds * PATIENCE:.0f} s for {what}")
        time.sleep(0.02)


def free_port():
    """A free port of loopback, below the range that the kernel gives to clients."""
    for _ in range(200):
        port = random.randint(15000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port on loopback")


def run(*command, prefix=(), stdin=None, check=True, seconds=120, env=None, cwd=None):
    """Runs a command to its end; with `check`, a failure shows its output."""
    words = [str(word) for word in (*prefix, *command)]
    done = subprocess.run(
        words, input=stdin, capture_output=True, text=True, errors="replace",
        timeout=seconds * PATIENCE, cwd=cwd,
        env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL if stdin is None else None)
    if check and done.returncode != 0:
        raise AssertionError(
            f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Daemon:
    """One daemon; `prefix` precedes its command, for example to enter a namespace."""

    def __init__(self, name, command, log, prefix=()):
        self.name = name
        self.command = [str(word) for word in command]
        self.log = pathlib.Path(log)
        self.prefix = list(prefix)
        self.process = None

    def spawn(self):
        assert self.process is None, f"{self.name} runs already"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.prefix + self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_tail(self, lines=15):
        return "\n".join(self.log_text().splitlines()[-lines:])

    def stop(self, seconds=30):
        """SIGTERM; returns the exit code."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            raise AssertionError(f"{self.name} did not stop on SIGTERM:\n{self.log_tail()}") from None

    def kill(self):
        """kill -9: like a power cut for the process."""
        process, self.process = self.process, None
        process.kill()
        process.wait(10)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def resident_mib(self, field="VmRSS"):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
        raise AssertionError(f"no {field} of {self.name}")
