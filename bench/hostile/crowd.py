"""Attackers: processes that hold connections open or repeat requests. All are bounded in number and time."""

import os
import queue
import resource
import selectors
import signal
import socket
import ssl
import time
from collections import Counter

from others import PROCESSES

PROCESSES_OF_A_CROWD = 4
REENTRIES = 3  # a connection that ends is made again, until a crowd has made this many times its number
HEAD_START = 3  # seconds of attackers that repeat requests, before others are measured
REENTRY_PAUSE = 0.05  # seconds: an attack on shares is not a flood of handshakes


def address_of(number, networks):
    """An address of loopback: neighbours are in different networks."""
    return f"127.66.{number % networks}.1"


class Sender:
    """Makes TLS connections with a client's certificate, from many addresses. One for each process."""

    def __init__(self, client, networks=32):
        self.client, self.networks, self.context = client, networks, None

    def connect(self, number, receive_buffer=None):
        if self.context is None:
            self.context = self.client.context()
        plain = connect_plain(self.client.host, self.client.port, address_of(number, self.networks),
                              receive_buffer)
        try:
            return self.context.wrap_socket(plain, server_hostname=self.client.host)
        except OSError:
            plain.close()
            raise

    def head(self, method, path, **headers):
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.client.host}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in self.client.headers(headers).items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


def connect_plain(host, port, source, receive_buffer=None):
    plain = socket.socket()
    try:
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.bind((source, 0))
        plain.settimeout(10)
        plain.connect((host, port))
    except OSError:
        plain.close()
        raise
    return plain


class Shared:
    """What an attacker's process shares with the runner."""

    def __init__(self, index, ended, standing, results):
        self.index, self.ended, self.standing, self.results = index, ended, standing, results

    def stands(self, number):
        self.standing[self.index] = number


class Attackers:
    """Processes that attack until the end of the block, which begins when `standing` connections stand, or after
    some seconds. Each work is called with its Shared, and returns a Counter of what it saw."""

    def __init__(self, works, standing=0, settle_seconds=HEAD_START):
        self.wanted, self.settle_seconds = standing, settle_seconds
        self.ended, self.results = PROCESSES.Event(), PROCESSES.Queue()
        self.standing = PROCESSES.Array("L", len(works))
        self.processes = [PROCESSES.Process(target=self._work, args=(work, index), daemon=True)
                          for index, work in enumerate(works)]
        self.seen, self.stood = Counter(), 0

    def _work(self, work, index):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.nice(19)  # real attackers would not use the daemons' processors
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.results.put(work(Shared(index, self.ended, self.standing, self.results)) or Counter())

    def __enter__(self):
        for process in self.processes:
            process.start()
        deadline = time.monotonic() + self.settle_seconds
        while time.monotonic() < deadline and (not self.wanted or sum(self.standing) < self.wanted):
            time.sleep(0.1)
        self.stood = sum(self.standing)
        return self

    def __exit__(self, *raised):
        self.ended.set()
        deadline = time.monotonic() + 30
        for _ in self.processes:
            try:
                self.seen += self.results.get(timeout=max(deadline - time.monotonic(), 0.1))
            except queue.Empty:
                self.seen["attackers that had to be ended"] += 1
        for process in self.processes:
            process.terminate()
            process.join()


def split(total, parts=PROCESSES_OF_A_CROWD):
    """`total` in near equal shares: pairs of (first, count)."""
    edges = [total * part // parts for part in range(parts + 1)]
    return [(first, last - first) for first, last in zip(edges, edges[1:]) if last > first]


class Crowd:
    """Connections of one process. `enter(number)` makes one; `tend(socket, number)` is called for each every
    few seconds, for example to send another byte. With `leave`, an answer ends a connection."""

    def __init__(self, enter, first, count, tend=None, every=2.0, listen=True, leave=True):
        self.enter, self.first, self.count = enter, first, count
        self.tend, self.every, self.listen, self.leave = tend, every, listen, leave
        self.held, self.entered, self.seen = {}, 0, Counter()
        self.selector = selectors.DefaultSelector()

    def __call__(self, shared):
        next_entry = next_tend = time.monotonic()
        while not shared.ended.is_set():
            now = time.monotonic()
            may_enter = len(self.held) < self.count and self.entered < REENTRIES * self.count
            if may_enter and now >= next_entry:
                self._enter_one()
                next_entry = now if self.entered < self.count else now + REENTRY_PAUSE
            self._listen(0 if may_enter and self.entered < self.count else 0.05)
            if self.tend and now >= next_tend:
                self._tend_all()
                next_tend = time.monotonic() + self.every
            shared.stands(len(self.held))
        self.seen["held at the end"] += len(self.held)
        for sock in list(self.held):
            self._drop(sock, None)
        return self.seen

    def _enter_one(self):
        number, self.entered = self.first + self.entered % self.count, self.entered + 1
        try:
            sock = self.enter(number)
        except OSError as failure:
            self.seen[f"not connected: {type(failure).__name__}"] += 1
            return
        sock.setblocking(False)
        self.held[sock] = number
        if self.listen:
            self.selector.register(sock, selectors.EVENT_READ)

    def _listen(self, seconds):
        if not self.listen:
            time.sleep(seconds)
            return
        for key, _ in self.selector.select(seconds):
            sock = key.fileobj
            try:
                answer = sock.recv(65536)
            except (ssl.SSLWantReadError, BlockingIOError):
                continue
            except OSError:
                answer = b""
            if not answer:
                self._drop(sock, "closed")
            elif answer.startswith(b"HTTP/1.1 "):
                self.seen[answer[9:12].decode(errors="replace")] += 1
                if self.leave:
                    self._drop(sock, None)

    def _tend_all(self):
        for sock, number in list(self.held.items()):
            try:
                self.tend(sock, number)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                pass
            except OSError:
                self._drop(sock, "closed")

    def _drop(self, sock, why):
        if why:
            self.seen[why] += 1
        if self.listen:
            self.selector.unregister(sock)
        self.held.pop(sock)
        sock.close()


def crowd(total, enter, **how):
    """The works of a crowd of `total` connections. `enter(number)` runs in the attackers' processes."""
    return [Crowd(enter, first, count, **how) for first, count in split(total)]


def repeat(request, times=100_000, pause=0.0):
    """A work that makes a request again and again. `request(number)` returns what it saw."""
    def work(shared):
        seen = Counter()
        for number in range(times):
            if shared.ended.is_set():
                break
            try:
                seen[str(request(number))] += 1
            except OSError as failure:
                seen[f"not answered: {type(failure).__name__}"] += 1
                time.sleep(REENTRY_PAUSE)
            time.sleep(pause)
        return seen
    return work
