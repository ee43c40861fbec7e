"""Attacks of strangers, who have no certificate, on the fleet port."""

import concurrent.futures
import subprocess
import time
from collections import Counter

from fleet import NODE
from processes import run

import frames
from crowd import Attackers, Crowd, address_of, connect_plain, crowd
from frames import Stranger

SILENT, NOFILE = 1060, 1024
RESET_CONNECTIONS, STREAMS_OF_A_CONNECTION, PAIRS_AT_ONCE = 4, 2_000_000, 200
HEADER_LIMIT = 64 << 20
GUESSERS, JOINS = 40, 12
RENEW, ENROLL = b"/outport.v1.Enrollment/Renew", b"/outport.v1.Enrollment/Enroll"
DOOR = "outport-enroll/1"  # the protocol name of an enrolment port that is not gRPC
KINDS = ("read", "control")


def judge_port(stage):
    """What all attacks on the fleet port have in common."""
    stage.check("staleness s", round(stage.watch.staleness.get("attack", 0), 1))
    back = next(one["seen"] for one in stage.result["checks"] if one["check"] == "back s")
    served = stage.result["under_attack"]["outportctl"]["count"]
    dead = {"attack": served == 0, "after": back is None}
    stage.check("ready without a port", any(
        is_dead and set(stage.watch.ready.get(("store", phase), {})) == {200} for phase, is_dead in dead.items()))


def silent(stage):
    """Connections on which no byte comes, more than the store has descriptors."""
    fleet = stage.start(at="node", nofile=NOFILE)
    port = fleet.fleet_port

    def enter(number):
        return connect_plain("127.0.0.1", port, address_of(number, 8))
    stage.run_crowd(Attackers(crowd(SILENT, enter), standing=SILENT, settle_seconds=15), KINDS)
    judge_port(stage)


def resets(stage):
    """Streams that are opened and reset at once, as fast as four connections send."""
    fleet = stage.start(at="node")
    port = fleet.fleet_port
    headers = frames.call_headers(RENEW)

    def work(shared):
        seen = Counter()
        while not shared.ended.is_set() and seen["connections"] < 200:
            seen["connections"] += 1
            try:
                stranger = Stranger("127.0.0.1", port, address_of(shared.index, 8))
            except OSError:
                seen["refused in the handshake"] += 1
                time.sleep(0.1)
                continue
            if stranger.begin():
                seen["strangers at HTTP/2"] += 1
                shared.stands(1)
                seen["streams reset"] += flood(stranger, shared)
            else:
                seen["closed before HTTP/2"] += 1
                time.sleep(0.1)
            stranger.close()
        return seen

    def flood(stranger, shared):
        stranger.sock.settimeout(10)
        stream = 1
        try:
            stranger.sock.sendall(frames.frame(frames.SETTINGS, frames.ACK, 0))
            while not shared.ended.is_set() and stream < 2 * STREAMS_OF_A_CONNECTION:
                stranger.sock.sendall(b"".join(
                    frames.frame(frames.HEADERS, frames.END_HEADERS, number, headers)
                    + frames.frame(frames.RST_STREAM, 0, number, frames.CANCEL)
                    for number in range(stream, stream + 2 * PAIRS_AT_ONCE, 2)))
                stream += 2 * PAIRS_AT_ONCE
                stranger.drain()
        except OSError:
            pass
        return stream // 2

    attackers = Attackers([work] * RESET_CONNECTIONS, standing=RESET_CONNECTIONS, settle_seconds=5)
    stage.run_crowd(attackers, KINDS)
    stage.check("strangers at HTTP/2", attackers.seen["strangers at HTTP/2"])
    judge_port(stage)


def headers_without_end(stage):
    """One header block, in frames without end, while the server's settings are never acknowledged."""
    fleet = stage.start(at="node")
    port = fleet.fleet_port
    filler = frames.field(b"x-filler", b"a" * 8000) * 2

    def work(shared):
        seen = Counter()
        try:
            stranger = Stranger("127.0.0.1", port, address_of(0, 8))
        except OSError:
            return Counter({"refused in the handshake": 1})
        if not stranger.begin():
            return Counter({"closed before HTTP/2": 1})
        seen["strangers at HTTP/2"] += 1
        stranger.sock.settimeout(10)
        try:
            stranger.sock.sendall(frames.frame(frames.HEADERS, 0, 1, frames.call_headers(RENEW)))
            while not shared.ended.is_set() and seen["header bytes sent"] < HEADER_LIMIT:
                stranger.sock.sendall(frames.frame(frames.CONTINUATION, 0, 1, filler))
                seen["header bytes sent"] += len(filler)
                shared.stands(1)
            while not shared.ended.is_set():
                time.sleep(0.1)
        except OSError:
            seen["cut"] += 1
        stranger.close()
        return seen

    attackers = Attackers([work], standing=1, settle_seconds=5)
    stage.run_crowd(attackers, KINDS)
    stage.check("strangers at HTTP/2", attackers.seen["strangers at HTTP/2"])
    stage.check("header KiB taken", attackers.seen["header bytes sent"] >> 10)
    judge_port(stage)


class Guesses:
    """A connection that sends secrets of invitations until it ends, each when the last one was answered."""

    def __init__(self, port, number):
        self.source, self.count = address_of(number, GUESSERS), 0
        self.stranger = Stranger("127.0.0.1", port, self.source, (DOOR, "h2"))
        self.by_hand = self.stranger.protocol == DOOR
        if not self.by_hand and not self.stranger.begin():
            self.stranger.close()
            raise ConnectionResetError
        self.guess()

    def guess(self):
        body = frames.message({1: f"guess {self.source} {self.count}".encode(), 2: b"none", 3: b"none"})
        if self.by_hand:
            body = body[5:]
            self.stranger.sock.sendall(b"POST /enroll HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                                       b"Content-Type: application/x-protobuf\r\n"
                                       b"Content-Length: %d\r\n\r\n" % len(body) + body)
        else:
            stream = 2 * self.count + 1
            self.stranger.sock.sendall(
                frames.frame(frames.HEADERS, frames.END_HEADERS, stream, frames.call_headers(ENROLL))
                + frames.frame(frames.DATA, frames.END_STREAM, stream, body))
        self.count += 1

    def answered(self):
        """The number of answers that have come; raises OSError at the end."""
        if self.by_hand:
            if not self.stranger.sock.recv(65536):
                raise ConnectionResetError
            return 1
        answers = 0
        for kind, flags, _ in self.stranger.frames():
            if kind == frames.HEADERS and flags & frames.END_STREAM:
                answers += 1
            elif kind == frames.SETTINGS and not flags & frames.ACK:
                self.stranger.sock.sendall(frames.frame(frames.SETTINGS, frames.ACK, 0))
        return answers


class GuessingCrowd(Crowd):
    """Guesses at many addresses, as fast as they are answered."""

    def __init__(self, port, first, count):
        super().__init__(self._enter_guesses, first, count)
        self.port, self.guesses = port, {}

    def _enter_guesses(self, number):
        guesses = Guesses(self.port, number)
        self.guesses[guesses.stranger.sock] = guesses
        return guesses.stranger.sock

    def _listen(self, seconds):
        for key, _ in self.selector.select(seconds):
            guesses = self.guesses[key.fileobj]
            try:
                key.fileobj.settimeout(5)
                for _ in range(guesses.answered()):
                    self.seen["guesses answered"] += 1
                    guesses.guess()
            except OSError:
                self._drop(key.fileobj, "closed")

    def _drop(self, sock, why):
        self.guesses.pop(sock)
        super()._drop(sock, why)


def join(stage, number, token):
    """Whether a new machine with this token joins, and the seconds that it took."""
    node = stage.fleet.new_node(f"n{number}")
    began = time.monotonic()
    try:
        done = run(NODE, "join", "--data", node.data, "--registry-listen", f"127.0.0.1:{node.registry_port}",
                   "--operations-listen", f"127.0.0.1:{node.operations_port}", stdin=token + "\n",
                   check=False, seconds=20)
    except subprocess.TimeoutExpired:
        return False, "no end within 20 s", 20.0
    return done.returncode == 0, done.stderr.strip()[-200:], time.monotonic() - began


def judge_joins(stage, joins):
    failures = Counter(text for joined, text, _ in joins if not joined)
    if failures:
        stage.note("why machines did not join", dict(failures))
    stage.note("seconds of the slowest join", round(max(seconds for _, _, seconds in joins), 2))
    stage.check("joined of 12", sum(joined for joined, _, _ in joins))


def enrolment(stage):
    """Machines with an invitation join, one after the other, while 40 addresses guess secrets."""
    fleet = stage.start()
    tokens = [fleet.invite(f"n{number}") for number in range(JOINS)]
    works = [GuessingCrowd(fleet.fleet_port, part, 10) for part in range(0, GUESSERS, 10)]
    stage.watch.phase = "attack"
    with Attackers(works, standing=GUESSERS, settle_seconds=5) as attackers:
        stage.note("connections that stood", attackers.stood)
        joins = []
        for number, token in enumerate(tokens):
            joins.append(join(stage, number, token))
            time.sleep(0.2)
    stage.result["attackers"] = dict(attackers.seen)
    judge_joins(stage, joins)
    stage.come_back(("control",))


def invitations(stage):
    """Twelve machines behind one address join within ten seconds."""
    fleet = stage.start()
    tokens = [fleet.invite(f"n{number}") for number in range(JOINS)]
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        joins = list(pool.map(lambda pair: join(stage, *pair), enumerate(tokens)))
    stage.note("seconds of all joins", round(time.monotonic() - began, 1))
    judge_joins(stage, joins)


ATTACKS = {"silent": silent, "resets": resets, "headers": headers_without_end, "enrolment": enrolment,
           "invitations": invitations}
