#!/usr/bin/env python3
"""Throughput and CPU cost of blobs: push and pull, at the store and through a node, cold and warm.

Starts a store and a node of its own in a network namespace of its own (reno instead of the machine's
congestion control: BBR costs 2-4 times as much on loopback), moves one blob with curl, and prints a
table: MB/s, and seconds of CPU a GiB of each program, as user + system. Needs root, and a build:

    bench/transfer.py [--size-mib 1024] [--runs 3] [--bin build/release/bin] [--folder /var/tmp]

Every figure is the median of the runs. Compare figures of one machine, taken one after the other,
with nothing else at work: what else runs shows in them.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
CURL_SECONDS = 120
GIB = 1 << 30


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size-mib", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--folder", default="/var/tmp", help="on the disk to measure")
    parser.add_argument("--only", default="", help="only the transfers whose names hold this")
    return parser.parse_args()


OPTIONS = parse()
os.environ["OUTPORT_BIN"] = str(OPTIONS.bin.resolve())
sys.path.insert(0, str(ROOT / "tests" / "support"))

from fleet import PASSWORD, Fleet  # noqa: E402
from processes import run, wait_for  # noqa: E402


class Namespace:
    """A network namespace with nothing but loopback."""

    def __init__(self):
        self.name = f"outport-bench-{os.getpid()}"

    def __enter__(self):
        run("ip", "netns", "add", self.name)
        run("ip", "-n", self.name, "link", "set", "lo", "up")
        self.prefix = ["nsenter", f"--net=/var/run/netns/{self.name}"]
        run("sysctl", "-q", "-w", "net.ipv4.tcp_congestion_control=reno", prefix=self.prefix)
        return self

    def __exit__(self, *_):
        run("ip", "netns", "delete", self.name, check=False)


def make_blob(path, size, turn):
    """Random bytes, new in each run, so that the store does not have them."""
    piece = bytearray(os.urandom(4 << 20))
    with open(path, "wb") as file:
        for at in range(0, size, len(piece)):
            piece[:16] = at.to_bytes(8, "little") + turn.to_bytes(8, "little")
            file.write(piece[:size - at])
    os.sync()  # do not measure the write-back
    return "sha256:" + run("sha256sum", path).stdout.split()[0]


def cpu_seconds(member):
    """User and system time of a process so far."""
    fields = pathlib.Path(f"/proc/{member.pid}/stat").read_text().rpartition(")")[2].split()
    tick = os.sysconf("SC_CLK_TCK")
    return int(fields[11]) / tick, int(fields[12]) / tick


def evict(folder):
    """Removes the files of a folder from the page cache."""
    os.sync()
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class Bench:
    def __init__(self, fleet, size):
        self.fleet, self.size = fleet, size
        self.rows = {}

    def curl(self, *options):
        certificates = self.fleet.certificates
        done = subprocess.run(
            [*map(str, self.fleet.prefix), "curl", "-sS", "--fail-with-body", "-m",
             str(CURL_SECONDS), "--cacert", certificates / "ca.crt", "--cert",
             certificates / "client.cert", "--key", certificates / "client.key", "-K", "-",
             *options], input=f'user = "demo:{PASSWORD}"\n'.encode(), capture_output=True)
        if done.returncode != 0:
            raise SystemExit(f"curl {options}: {done.stderr.decode()}{done.stdout.decode()}")
        return done.stdout.decode()

    def measured(self, name, work):
        members = self.fleet.members()
        before = [cpu_seconds(member) for member in members]
        begin = time.monotonic()
        work()
        took = time.monotonic() - begin
        row = {"MB/s": self.size / took / 1e6}
        for member, was in zip(members, before):
            now = cpu_seconds(member)
            row[member.name] = [(now[i] - was[i]) * GIB / self.size for i in (0, 1)]
        self.rows.setdefault(name, []).append(row)

    def session(self, member):
        headers = self.curl("-X", "POST", "-D", "-", "-H", "Content-Length: 0",
                            f"https://{member.at()}/v2/bench/app/blobs/uploads/")
        return next(line.split(None, 1)[1].strip() for line in headers.splitlines()
                    if line.lower().startswith("location:"))

    def push(self, name, member, path, digest, *options):
        """Uploads as clients do: one PATCH with the whole blob, and a PUT."""
        url = f"https://{member.at()}{self.session(member)}"

        def work():
            self.curl("-T", path, "-X", "PATCH", "-H", "Content-Type: application/octet-stream",
                      "-H", "Expect:", *options, url)
            self.curl("-X", "PUT", "-H", "Content-Length: 0", f"{url}?digest={digest}")

        self.measured(name, work)

    def pull(self, name, member, digest):
        url = f"https://{member.at()}/v2/bench/app/blobs/{digest}"
        self.measured(name, lambda: self.curl("-o", "/dev/null", url))

    def table(self):
        names = [member.name for member in self.fleet.members()]
        head = ["transfer", "MB/s", *(f"{name} s/GiB (user+system)" for name in names)]
        lines = [head]
        for name, rows in self.rows.items():
            line = [name, f"{statistics.median(row['MB/s'] for row in rows):.0f}"]
            for member in names:
                user, system = (statistics.median(row[member][i] for row in rows) for i in (0, 1))
                line.append(f"{user + system:.2f} ({user:.2f}+{system:.2f})")
            lines.append(line)
        widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
                         for line in lines)


def one_run(bench, folder, turn):
    store, node = bench.fleet.store, bench.fleet.nodes["node"]
    wanted = lambda name: OPTIONS.only in name  # noqa: E731
    chunked = ("-H", "Transfer-Encoding: chunked")
    pushes = (("push", store, ()), ("push, chunked", store, chunked),
              ("push through a node", node, ()), ("push through a node, chunked", node, chunked))
    for offset, (name, member, options) in enumerate(pushes):
        path = folder / "blob"
        digest = make_blob(path, bench.size, len(pushes) * turn + offset)
        if wanted(name) or offset == 0:
            bench.push(name, member, path, digest, *options)
            pulled = digest if offset == 0 else pulled
        path.unlink()
    evict(store.data / "blobs")
    if wanted("pull, from disk"):
        bench.pull("pull, from disk", store, pulled)
    if wanted("pull"):
        bench.pull("pull", store, pulled)
    if wanted("node, cold"):
        bench.pull("node, cold", node, pulled)
        wait_for("the fetch to end", lambda: node.metric("outport_node_fetches_in_progress") == 0)
        bench.pull("node, warm", node, pulled)


def main():
    if os.geteuid() != 0:
        raise SystemExit("transfer.py: a network namespace needs root; run it with sudo")
    size = OPTIONS.size_mib << 20
    with Namespace() as namespace, tempfile.TemporaryDirectory(
            prefix="outport-bench-", dir=OPTIONS.folder) as folder:
        folder = pathlib.Path(folder)
        (folder / "fleet").mkdir()
        fleet = Fleet(folder / "fleet", prefix=namespace.prefix)
        try:
            fleet.start()
            fleet.add_node("node")
            bench = Bench(fleet, size)
            url = f"https://{fleet.nodes['node'].at()}/v2/"
            wait_for("the user at the node", lambda: run(
                "curl", "-sf", "-k", "-m", "5", "--cert", fleet.certificates / "client.cert",
                "--key", fleet.certificates / "client.key", "-K", "-", url,
                prefix=fleet.prefix, stdin=f'user = "demo:{PASSWORD}"\n', check=False).returncode == 0)
            for turn in range(OPTIONS.runs):
                one_run(bench, folder, turn)
            print(f"{OPTIONS.size_mib} MiB, median of {OPTIONS.runs}, one stream, curl, "
                  f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
            print(bench.table())
        finally:
            fleet.stop()


if __name__ == "__main__":
    main()
