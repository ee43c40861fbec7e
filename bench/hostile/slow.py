"""Slow is not dead: clients with a certificate and a password that stand still for a while, when nobody needs
their place."""

import os
import time

from client import digest_of

import others
from crowd import Sender
from others import local
from stage import MIB

REPOSITORY = "mallory/app"
PAUSE_SECONDS = 45


def upload(at):
    def attack(stage):
        """An upload whose source pauses in the middle."""
        stage.start(at=at)
        data = os.urandom(8 * MIB)
        sender = Sender(stage.client())
        location = local(stage.client().start_upload(REPOSITORY))
        joint = "&" if "?" in location else "?"
        sock = sender.connect(0)
        sock.settimeout(30)
        try:
            sock.sendall(sender.head("PUT", f"{location}{joint}digest={digest_of(data)}", Content_Length=len(data),
                                     Content_Type="application/octet-stream") + data[:3 * MIB])
            time.sleep(PAUSE_SECONDS)
            sock.sendall(data[3 * MIB:])
            answer = sock.recv(65536)[9:12].decode()
        except OSError as failure:
            answer = type(failure).__name__
        sock.close()
        stage.note("the answer", answer)
        stage.check("paused upload", answer == "201")
    return attack


def download(at):
    def attack(stage):
        """A reader that stands still in the middle of a blob."""
        stage.start(at=at)
        data = os.urandom(64 * MIB)
        digest = stage.client(member=stage.fleet.store).push_blob(REPOSITORY, data)
        stage.fleet.settle()
        client, came = stage.client(timeout=60), b""
        connection = client.connect()
        try:
            connection.request("GET", f"/v2/{REPOSITORY}/blobs/{digest}", headers=client.headers())
            answer = connection.getresponse()
            came = answer.read(3 * MIB)
            time.sleep(PAUSE_SECONDS)
            came += answer.read()
        except others.NETWORK_FAILURES as failure:
            stage.note("why the reader ended", type(failure).__name__)
        connection.close()
        stage.note("bytes that came", len(came))
        stage.check("paused download", came == data)
    return attack


ATTACKS = {}
for _at in ("store", "node"):
    ATTACKS |= {f"paused-upload@{_at}": upload(_at), f"paused-download@{_at}": download(_at)}
