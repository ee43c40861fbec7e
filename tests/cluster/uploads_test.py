"""Upload sessions at a real store: chunks out of order, lost connections, sha512."""

import hashlib
import os
import socket
import struct
import time

from client import digest_of
from processes import PATIENCE, wait_for

MIB = 1 << 20
OCTETS = {"Content-Type": "application/octet-stream"}


def sha512_of(data):
    return "sha512:" + hashlib.sha512(data).hexdigest()


def patch(client, location, data, start=None):
    headers = dict(OCTETS)
    if start is not None:
        headers["Content-Range"] = f"{start}-{start + len(data) - 1}"
    return client.call("PATCH", location, body=data, headers=headers)


def begin_patch(client, location, data, length):
    """Sends a PATCH that stops after `data`, on a connection that stays open."""
    connection = client.connect()
    connection.putrequest("PATCH", location)
    for name, value in client.headers(OCTETS | {"Content-Length": str(length)}).items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(data)
    return connection


def stands_at(client, location):
    answer = client.get(location)
    assert answer.status == 204, answer
    last = int(answer.headers["Range"].split("-")[1])
    return last + 1 if last > 0 else 0


def test_a_refused_chunk_of_any_size_is_answered(fleet):
    """The client may send the whole chunk before it reads: the answer must still arrive."""
    client = fleet.store.client()
    location = client.start_upload("uploads/order")
    data = os.urandom(12 * MIB)
    assert patch(client, location, data[:MIB], 0).status == 202
    for size in (1, 100_000, 8 * MIB):
        for start in (0, MIB - 1, MIB + 1):
            answer = patch(client, location, data[:size], start)
            assert answer.status == 416, (size, start, answer)
            assert answer.headers["Range"] == f"0-{MIB - 1}"
            assert answer.headers["Location"] == location
            assert answer.headers["Docker-Upload-UUID"] == location.rsplit("/", 1)[1]
        closing = client.call("PUT", f"{location}?digest={digest_of(data)}", body=data[:size],
                              headers=OCTETS | {"Content-Range": f"5-{4 + size}"})
        assert closing.status == 416 and closing.headers["Range"] == f"0-{MIB - 1}", closing
    for malformed in ("bytes 1-2/3", "7", "9-3", "-5", "a-b"):
        answer = client.call("PATCH", location, body=b"abc",
                             headers=OCTETS | {"Content-Range": malformed})
        assert answer.status == 416 and answer.headers["Range"] == f"0-{MIB - 1}", answer
    wrong = client.call("PATCH", location, body=b"abc",
                        headers=OCTETS | {"Content-Range": f"{MIB}-{MIB + 9}"})
    assert wrong.status == 400 and wrong.code() == "SIZE_INVALID", wrong
    # The session is unchanged, also at an older Location.
    assert patch(client, location + "?_state=of-an-older-answer", data[MIB:], MIB).status == 202
    assert client.finish_upload(location, digest_of(data)).status == 201
    assert client.get(f"/v2/uploads/order/blobs/{digest_of(data)}").body == data


def test_a_chunked_refused_chunk_is_answered(fleet):
    client = fleet.store.client()
    location = client.start_upload("uploads/order")
    answer = client.call("PATCH", location, body=iter([os.urandom(MIB)] * 4),
                         headers=OCTETS | {"Content-Range": f"9-{4 * MIB + 8}"})
    assert answer.status == 416 and answer.headers["Range"] == "0-0", answer
    assert client.finish_upload(location, digest_of(b"x"), b"x").status == 201


def test_after_a_lost_connection_the_client_continues_at_once(fleet):
    """The store sees the end of the connection; it must not reject the next request meanwhile."""
    client = fleet.store.client()
    data = os.urandom(6 * MIB)
    for orderly in (True, False):
        location = client.start_upload("uploads/cut")
        for _ in range(3):
            at = stands_at(client, location)
            connection = begin_patch(client, location, data[at:at + MIB], len(data))
            if not orderly:
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                           struct.pack("ii", 1, 0))
            connection.close()
            # No status request in between: the store must not reject the first request.
            answer = patch(client, location, b"")
            assert answer.status == 202, answer
        at = stands_at(client, location)
        assert patch(client, location, data[at:], at).status == 202
        assert client.finish_upload(location, digest_of(data)).status == 201


def test_a_silent_connection_does_not_lock_the_client_out(fleet):
    """The client's network fails silently, and the client connects over another network."""
    client = fleet.store.client()
    data = os.urandom(4 * MIB)
    location = client.start_upload("uploads/silent")
    taken_over = fleet.store.metric("outport_store_uploads_reconnected_total")
    silent = begin_patch(client, location, data[:2 * MIB + 5], len(data))
    at = 2 * MIB  # the rest does not fill a buffer of the store
    wait_for("most of the body", lambda: stands_at(client, location) == at)
    begun = time.monotonic()
    answer = patch(client, location, data[at:], at)
    assert answer.status == 202, answer
    assert time.monotonic() - begun < 8 * PATIENCE
    assert fleet.store.metric("outport_store_uploads_reconnected_total") == taken_over + 1
    # Late bytes of the first connection have no effect.
    silent.send(data[2 * MIB + 5:])
    silent.close()
    assert client.finish_upload(location, digest_of(data)).status == 201
    assert client.get(f"/v2/uploads/silent/blobs/{digest_of(data)}").body == data


def test_sha512_from_end_to_end(fleet):
    client = fleet.store.client()
    data = os.urandom(3 * MIB + 17)
    digest = sha512_of(data)
    hinted = client.call("POST", "/v2/uploads/hinted/blobs/uploads/?digest-algorithm=sha512",
                         body=b"").headers["Location"]
    assert patch(client, hinted, data[:MIB], 0).status == 202
    pushed = [client.finish_upload(hinted, digest, data[MIB:])]
    pushed.append(client.finish_upload(client.start_upload("uploads/unhinted"), digest, data))
    pushed.append(client.call("POST", f"/v2/uploads/single/blobs/uploads/?digest={digest}",
                              body=data, headers=OCTETS))
    for answer in pushed:
        assert answer.status == 201, answer
        assert answer.headers["Docker-Content-Digest"] == digest
        path = answer.headers["Location"]
        assert path.endswith(digest)
        for member in fleet.members():
            reader = member.client()
            head = wait_for("the blob", lambda r=reader, p=path: (
                lambda a: a if a.status == 200 else None)(r.call("HEAD", p)))
            assert head.headers["Content-Length"] == str(len(data))
            assert head.headers["Docker-Content-Digest"] == digest
            assert reader.get(path).body == data
            part = reader.get(path, Range="bytes=1000000-1000009")
            assert part.status == 206 and part.body == data[1000000:1000010]
    wrong = client.finish_upload(client.start_upload("uploads/wrong"), digest, data + b"x")
    assert wrong.status == 400 and wrong.code() == "DIGEST_INVALID", wrong
