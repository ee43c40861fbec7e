"""Relayed writes: a node gives the store's answers."""

import os
import threading

import pytest

from client import digest_of, make_manifest
from processes import PATIENCE, wait_for

OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def west(fleet):
    return fleet.nodes["eu-west"]


@pytest.fixture(scope="module")
def east(fleet):
    return fleet.nodes["us-east"]


def test_a_push_through_a_node_is_seen_everywhere(fleet, west):
    layer = os.urandom(3_000_000)
    digest = west.client().push_image("team/relayed", "1", layer)
    for member in (west, fleet.nodes["us-east"], fleet.store):
        answer = member.client().get("/v2/team/relayed/manifests/1")
        assert (answer.status, digest_of(answer.body)) == (200, digest), (member.name, answer)
        assert member.client().get(f"/v2/team/relayed/blobs/{digest_of(layer)}").body == layer
    assert west.client().get("/v2/team/relayed/tags/list").json()["tags"] == ["1"]
    assert "team/relayed" in west.client().get("/v2/_catalog").json()["repositories"]


def test_a_moved_tag_is_seen_here_at_once_and_there_with_its_sequence(west, east):
    client, other = west.client(), east.client()
    client.push_image("team/moving", "latest", b"0")
    for turn in range(1, 10):
        config, layers = b"{}", [b"%d" % turn]
        for blob in (config, *layers):
            client.push_blob("team/moving", blob)
        manifest = make_manifest(config, layers)
        answer = client.put_manifest("team/moving", "latest", manifest)
        assert answer.status == 201, answer
        sequence = answer.headers["Outport-Sequence"]
        here = client.get("/v2/team/moving/manifests/latest")
        assert here.body == manifest, f"turn {turn}"
        there = other.get("/v2/team/moving/manifests/latest",
                          **{"Outport-Min-Sequence": sequence})
        assert there.body == manifest, f"turn {turn}"


def test_a_session_continues_at_any_member(fleet, west, east):
    data = os.urandom(3_000_000)
    location = west.client().start_upload("team/wander")
    answer = west.client().call("PATCH", location, body=data[:1_000_000], headers=OCTETS)
    assert (answer.status, answer.headers["Range"]) == (202, "0-999999"), answer
    answer = east.client().call("PATCH", answer.headers["Location"], body=data[1_000_000:2_000_000],
                                headers=OCTETS | {"Content-Range": "1000000-1999999"})
    assert (answer.status, answer.headers["Range"]) == (202, "0-1999999"), answer
    assert west.client().get(location).headers["Range"] == "0-1999999"
    wrong = west.client().call("PATCH", location, body=b"x", headers=OCTETS | {
        "Content-Range": "5-5"})
    assert (wrong.status, wrong.headers["Range"]) == (416, "0-1999999"), wrong
    answer = fleet.store.client().finish_upload(location, digest_of(data), data[2_000_000:])
    assert answer.status == 201, answer
    assert east.client().get(f"/v2/team/wander/blobs/{digest_of(data)}").body == data
    assert west.client().get(location).status == 404


def test_a_session_of_another_user_is_unknown(fleet, west):
    fleet.control("user", "add", "other", "--allow", "pull,push", stdin="another password\n")
    other = west.client("other", "another password")
    wait_for("the user to arrive", lambda: other.get("/v2/").status == 200)
    location = west.client().start_upload("team/mine")
    assert other.call("PATCH", location, body=b"x", headers=OCTETS).status == 404
    assert west.client().call("DELETE", location).status == 204
    assert west.client().get(location).status == 404


def test_refusals_are_the_stores(fleet, west):
    client = west.client()
    missing = make_manifest(b"{}", [b"layer %d" % i for i in range(300)])
    answer = client.put_manifest("team/holes", "1", missing)
    assert (answer.status, answer.code()) == (400, "MANIFEST_BLOB_UNKNOWN"), answer
    assert len(answer.json()["errors"]) == 100 and "201 more" in answer.message(), answer
    answer = client.finish_upload(client.start_upload("team/holes"), digest_of(b"promised"), b"x")
    assert (answer.status, answer.code()) == (400, "DIGEST_INVALID"), answer
    fleet.control("user", "add", "puller", "--allow", "pull", stdin="a puller's password\n")
    puller = west.client("puller", "a puller's password")
    wait_for("the user to arrive", lambda: puller.get("/v2/").status == 200)
    answer = puller.call("POST", "/v2/team/holes/blobs/uploads/", body=b"")
    assert (answer.status, answer.code()) == (403, "DENIED"), answer


def test_a_refused_upload_gets_no_100_continue(west):
    client = west.client()
    connection = client.connect()
    head = "".join(f"{name}: {value}\r\n" for name, value in client.headers({
        "Host": west.at(), "Content-Length": str(5 << 30), "Expect": "100-continue"}).items())
    connection.sock.sendall(
        f"PATCH /v2/team/app/blobs/uploads/unknown HTTP/1.1\r\n{head}\r\n".encode())
    said = connection.sock.recv(4096).decode()
    assert said.startswith("HTTP/1.1 404 "), said
    connection.close()


def test_a_client_that_leaves_loses_little(west):
    client = west.client()
    data = os.urandom(4_000_000)
    location = client.start_upload("team/cut")
    connection = client.connect()
    connection.putrequest("PATCH", location)
    for name, value in client.headers({"Content-Length": str(len(data))}).items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(data[:2_500_000])
    connection.close()

    def received():
        """What the session holds once nobody works on it."""
        answer = client.call("PATCH", location, body=b"", headers=OCTETS)
        return answer.headers["Range"] if answer.status == 202 else None

    received_range = wait_for("the session to be free", received)
    size = 0 if received_range == "0-0" else int(received_range.split("-")[1]) + 1
    assert size <= 2_500_000
    answer = client.finish_upload(location, digest_of(data), data[size:])
    assert answer.status == 201, answer


def test_a_read_only_node_refuses_writes(new_fleet):
    fleet = new_fleet()
    node = fleet.new_node("quiet")
    fleet.join(node, fleet.invite("quiet"))
    fleet.nodes["quiet"] = node
    node.set_registry(read_only=True)
    client = node.client()
    wait_for("the user to arrive", lambda: client.get("/v2/").status == 200)
    answer = client.call("POST", "/v2/team/app/blobs/uploads/", body=b"")
    assert (answer.status, answer.code()) == (405, "UNSUPPORTED"), answer
    assert answer.headers["Allow"] == ""
    assert "push to the store, 127.0.0.1" in answer.message()
    answer = client.put_manifest("team/app", "x", b"{}")
    assert (answer.status, answer.code()) == (405, "UNSUPPORTED"), answer
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_a_store_that_is_lost_in_the_middle_of_a_push(new_fleet, fault):
    """The client soon gets 503 with Retry-After, and can push when the store is back."""
    fleet = new_fleet("eu-west")
    node = fleet.nodes["eu-west"]
    client = node.client(timeout=120 * PATIENCE)
    location = client.start_upload("team/lost")
    answers, half = [], threading.Event()

    def body():
        for turn in range(200):
            if turn == 20:
                half.set()
            yield os.urandom(100_000)
            if half.is_set():
                threading.Event().wait(0.05)  # a slow client, so that the store fails during the push

    def push():
        try:
            answers.append(client.call("PATCH", location, body=body(), headers=OCTETS | {
                "Transfer-Encoding": "chunked"}))
        except OSError as error:  # the answer came while the client was still sending
            answers.append(error)

    pushing = threading.Thread(target=push)
    pushing.start()
    assert half.wait(30)
    getattr(fleet.store, fault)()
    pushing.join(90 * PATIENCE)
    assert not pushing.is_alive()
    if not isinstance(answers[0], OSError):
        assert (answers[0].status, answers[0].code()) == (503, "UNAVAILABLE"), answers
        assert answers[0].headers["Retry-After"]
    answer = client.call("POST", "/v2/team/lost/blobs/uploads/", body=b"")
    assert (answer.status, answer.code()) == (503, "UNAVAILABLE"), answer
    assert answer.headers["Retry-After"]
    fleet.store.start() if fault == "kill" else fleet.store.resume()
    wait_for("the node to relay again", lambda: client.call(
        "POST", "/v2/team/lost/blobs/uploads/", body=b"").status == 202, 60)
    digest = client.push_image("team/lost", "1", os.urandom(1_000_000))
    assert digest_of(fleet.store.client().get("/v2/team/lost/manifests/1").body) == digest


def test_request_ids_and_names_cross_with_a_write(fleet, west):
    answer = west.client().call("POST", "/v2/team/traced/blobs/uploads/", body=b"")
    assert answer.status == 202
    lines = wait_for("the store's line", lambda: [
        line for line in fleet.store.log_text().splitlines()
        if answer.headers["X-Request-Id"] in line and '"node":"eu-west"' in line])
    assert '"user":"demo"' in lines[0] and '"certificate":"desktop"' in lines[0]
    for member in fleet.members():
        assert west.client().password not in member.log_text()
    assert west.metric("outport_node_relayed_writes_total", result="succeeded") > 0
    assert fleet.store.metric("outport_store_relayed_writes_total", result="succeeded") > 0
