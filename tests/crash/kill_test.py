"""kill -9 at any instant: nothing acknowledged is lost, nothing partial is visible."""

import http.client
import os
import random
import threading
import time

from client import digest_of, make_manifest
from processes import wait_for

ROUNDS = 6
MIB = 1 << 20
CUT = (OSError, http.client.HTTPException)  # errors that a kill causes; a 500 response is not one


class Pusher(threading.Thread):
    """Pushes images until the store is killed; records acknowledged and attempted pushes."""

    def __init__(self, client, name):
        super().__init__()
        self.client, self.name = client, name
        self.acknowledged = []  # (tag, manifest digest, layer digest)
        self.tried = []
        self.acknowledged_blobs = []
        self.failure = None  # a wrong answer of the store before the kill

    def run(self):
        turn = 0
        try:
            while True:
                self.push(f"{self.name}-{turn}")
                turn += 1
        except CUT:
            pass
        except AssertionError as failure:
            self.failure = failure

    def push(self, tag):
        layer = tag.encode() + os.urandom(random.choice((1000, 300_000, 4 * MIB)))
        config = b'{"architecture":"amd64","os":"linux","tag":"%s"}' % tag.encode()
        manifest = make_manifest(config, [layer])
        self.tried.append((tag, digest_of(manifest), digest_of(layer), len(layer)))
        for blob in (config, layer):
            self.acknowledged_blobs.append(self.client.push_blob("crash/app", blob))
        answer = self.client.put_manifest("crash/app", tag, manifest)
        assert answer.status == 201, answer
        self.acknowledged.append((tag, digest_of(manifest), digest_of(layer)))


def test_kill_9_of_the_store_in_the_middle_of_pushes(new_fleet):
    fleet = new_fleet("eu-west")
    store = fleet.store
    acknowledged, blobs, tried = [], [], []
    for turn in range(ROUNDS):
        pushers = [Pusher(store.client(timeout=20), f"r{turn}-p{index}") for index in range(4)]
        for pusher in pushers:
            pusher.start()
        wait_for("something to be acknowledged", lambda p=pushers: any(q.acknowledged for q in p))
        time.sleep(random.uniform(0, 0.4))  # the instant of the kill, not a wait for anything
        store.kill()
        for pusher in pushers:
            pusher.join(60)
            assert not pusher.is_alive(), "a push continues without a store"
            assert pusher.failure is None, pusher.failure
            acknowledged += pusher.acknowledged
            blobs += pusher.acknowledged_blobs
            tried += pusher.tried
        store.start()
        check(store.client(), acknowledged, blobs, tried)
    node = fleet.nodes["eu-west"]
    wait_for("the node to be connected again",
             lambda: node.client().get("/v2/crash/app/manifests/absent").status == 404, 60)
    check(node.client(), acknowledged, [], tried)


def check(client, acknowledged, blobs, tried):
    for tag, manifest, layer in acknowledged:
        answer = client.get(f"/v2/crash/app/manifests/{tag}")
        assert answer.status == 200, (tag, answer)
        assert digest_of(answer.body) == manifest
        assert digest_of(client.get(f"/v2/crash/app/blobs/{layer}").body) == layer
    for blob in blobs:
        assert client.call("HEAD", f"/v2/crash/app/blobs/{blob}").status == 200, blob
    # A push that was in progress is complete or absent.
    for tag, manifest, layer, size in tried:
        answer = client.get(f"/v2/crash/app/manifests/{tag}")
        assert answer.status in (200, 404), (tag, answer)
        if answer.status == 200:
            assert digest_of(answer.body) == manifest
            assert digest_of(client.get(f"/v2/crash/app/blobs/{layer}").body) == layer
        answer = client.get(f"/v2/crash/app/blobs/{layer}")
        assert answer.status in (200, 404), (layer, answer)
        if answer.status == 200:
            assert len(answer.body) == size and digest_of(answer.body) == layer


def test_a_wrong_answer_is_not_a_kill():
    """The test above can fail: it reports a store that answers 500."""
    class Wrong:
        def push_blob(self, repository, blob):
            raise AssertionError(f"500 for {len(blob)} bytes in {repository}")
    pusher = Pusher(Wrong(), "wrong")
    pusher.run()
    assert isinstance(pusher.failure, AssertionError)


def test_kill_9_of_a_node_in_the_middle_of_fetches(new_fleet):
    fleet = new_fleet("eu-west")
    node, store = fleet.nodes["eu-west"], fleet.store.client()
    cut = 0
    for turn in range(ROUNDS):
        blob = os.urandom(32 * MIB)
        digest = store.push_blob("crash/fetch", blob)
        store.push_image("crash/fetch", f"t{turn}", blob)
        client = node.client(timeout=30)
        wait_for("the blob at the node",
                 lambda c=client, d=digest: c.call("HEAD", f"/v2/crash/fetch/blobs/{d}").status == 200)
        connection = client.connect()
        connection.request("GET", f"/v2/crash/fetch/blobs/{digest}", headers=client.headers())
        response = connection.getresponse()
        assert response.status == 200
        got = response.read(random.randrange(1, 8 * MIB))
        node.kill()
        try:
            while piece := response.read(MIB):
                got += piece
        except CUT:
            pass
        connection.close()
        # A truncated body did not look complete.
        assert got == blob[:len(got)]
        cut += len(got) < len(blob)
        node.start()
        wait_for("the node to be connected again",
                 lambda: node.client().get("/v2/crash/fetch/manifests/absent").status == 404, 60)
        again = node.client().get(f"/v2/crash/fetch/blobs/{digest}")
        assert again.status == 200 and again.body == blob, again
        parts = [*node.data.glob("fetch/*.part")]
        wait_for("no fetch to be left over",
                 lambda: not [*node.data.glob("fetch/*.part")], 20) if parts else None
    assert cut > 0, "the node was killed too late each time"


def test_kill_9_of_the_store_in_the_middle_of_a_fetch(new_fleet):
    """The fetch resumes at its watermark; the client's response stays open."""
    fleet = new_fleet("eu-west")
    node, store = fleet.nodes["eu-west"], fleet.store
    client = node.client(timeout=60)
    for turn in range(ROUNDS):
        blob = os.urandom(64 * MIB)
        digest = digest_of(blob)
        store.client().push_image("crash/resume", f"t{turn}", blob)
        wait_for("the blob at the node", lambda d=digest: client.call(
            "HEAD", f"/v2/crash/resume/blobs/{d}").status == 200)
        connection = client.connect()
        connection.request("GET", f"/v2/crash/resume/blobs/{digest}", headers=client.headers())
        response = connection.getresponse()
        assert response.status == 200
        store.kill()
        store.start()
        assert response.read() == blob
        connection.close()
        if node.metric("outport_node_fetches_resumed_total") > 0:
            return
    raise AssertionError(f"no fetch of {ROUNDS} was cut: the store was killed too late each time")


def start_chunk(client, location, data, start, length):
    """Begins a PATCH of `length` bytes from `start`, and sends only `data`; returns the connection."""
    connection = client.connect()
    connection.putrequest("PATCH", location)
    for name, value in client.headers({"Content-Length": str(length)}).items():
        connection.putheader(name, value)
    connection.putheader("Content-Range", f"{start}-{start + length - 1}")
    connection.endheaders()
    connection.send(data)
    return connection


def received(client, location):
    """The number of bytes that the session has, from its status."""
    answer = client.get(location)
    assert answer.status == 204, answer
    assert answer.headers["Location"] == location
    first, last = answer.headers["Range"].split("-")
    assert first == "0"
    return int(last) + 1 if int(last) > 0 else 0


def test_kill_9_in_the_middle_of_a_chunk(new_fleet):
    """An upload session survives: the client requests its status, continues there, and finishes."""
    fleet = new_fleet()
    client = fleet.store.client()
    data = os.urandom(24 * MIB)
    location = client.start_upload("crash/session")
    octets = {"Content-Type": "application/octet-stream"}
    sent = 0
    while len(data) - sent > 4 * MIB:
        part = data[sent:sent + random.randrange(2 * MIB, 4 * MIB)]
        connection = start_chunk(client, location, part, sent, len(data) - sent)
        wait_for("some of the chunk", lambda s=sent: received(client, location) > s)
        fleet.store.kill()
        connection.close()
        fleet.store.start()
        stands = received(client, location)
        assert sent < stands <= sent + len(part)
        early = client.call("PATCH", location, body=b"x",
                            headers=octets | {"Content-Range": f"{stands + 1}-{stands + 1}"})
        assert early.status == 416 and early.headers["Range"] == f"0-{stands - 1}", early
        sent = stands
    answer = client.call("PATCH", location, body=data[sent:],
                         headers=octets | {"Content-Range": f"{sent}-{len(data) - 1}"})
    assert answer.status == 202, answer
    assert answer.headers["Range"] == f"0-{len(data) - 1}"
    assert client.finish_upload(location, digest_of(data)).status == 201
    assert client.get(f"/v2/crash/session/blobs/{digest_of(data)}").body == data
    assert client.get(location).status == 404
    assert fleet.store.metric("outport_store_uploads_recovered_total") >= 1
    assert fleet.store.metric("outport_store_uploads_unrecoverable_total") == 0
    assert not [*fleet.store.data.glob("uploads/*")]


def test_an_upload_continues_after_a_clean_restart(new_fleet):
    fleet = new_fleet()
    client = fleet.store.client()
    location = client.start_upload("crash/session")
    untouched = client.start_upload("crash/session")
    assert client.call("PATCH", location, body=b"hello").status == 202
    fleet.store.stop()
    fleet.store.start()
    assert received(client, location) == 5
    assert received(client, untouched) == 0
    assert client.finish_upload(location, digest_of(b"hello world"), b" world").status == 201
    assert client.finish_upload(untouched, digest_of(b"x"), b"x").status == 201
    assert client.call("DELETE", location).status == 404
