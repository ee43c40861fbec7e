"""The registry API over a real store and real nodes: access, and the same answers everywhere."""

import hashlib
import json
import os

import pytest

from client import digest_of, make_manifest
from processes import run, wait_for

LAYER = os.urandom(300_000)


@pytest.fixture(scope="module")
def image(fleet):
    return fleet.store.client().push_image("team/app", "1.0", LAYER)


def curl(member, *options, certificate=True, password=True, path="/v2/"):
    certificates = member.fleet.certificates
    words = ["curl", "-sS", "-o", "-", "-w", "\n%{http_code}", "--cacert", certificates / "ca.crt"]
    if certificate:
        words += ["--cert", certificates / "client.cert", "--key", certificates / "client.key"]
    # curl reads the password from its configuration on standard input, not from its arguments.
    user = f'user = "{member.client().user}:{member.client().password}"\n' if password else ""
    done = run(*words, *options, "-K", "-", f"https://{member.at()}{path}", stdin=user)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def everywhere(fleet):
    return fleet.members()


def test_curl_without_a_certificate_is_refused_with_400(fleet):
    for member in everywhere(fleet):
        status, body = curl(member, certificate=False)
        assert status == 400, (member.name, body)
        message = json.loads(body)["errors"][0]["message"]
        assert "No required SSL certificate was sent" in message


def test_curl_without_a_password_is_refused_with_401(fleet):
    for member in everywhere(fleet):
        status, body = curl(member, "-D", "-", password=False)
        assert status == 401, (member.name, body)
        assert 'www-authenticate: basic realm="' in body.lower()
        assert '"UNAUTHORIZED"' in body


def test_curl_with_certificate_and_password_is_admitted(fleet):
    for member in everywhere(fleet):
        # A node learns of a new user from the change log, so wait for it.
        wait_for("the user to arrive", lambda m=member: curl(m)[0] == 200)
        status, body = curl(member, "-D", "-")
        assert status == 200
        assert "docker-distribution-api-version: registry/2.0" in body.lower()


def test_a_wrong_password_is_refused(fleet):
    for member in everywhere(fleet):
        assert member.client(password="wrong").get("/v2/").status == 401
        assert member.client(user="nobody").get("/v2/").status == 401


def test_a_user_without_a_grant_is_denied(fleet, image):
    fleet.control("user", "add", "reader", "--allow", "pull:other/**", stdin="a reader's password\n")
    for member in everywhere(fleet):
        client = member.client("reader", "a reader's password")
        wait_for("the user to arrive", lambda c=client: c.get("/v2/").status == 200)
        answer = client.get("/v2/team/app/manifests/1.0")
        assert (answer.status, answer.code()) == (403, "DENIED"), answer
    answer = fleet.store.client("reader", "a reader's password").call(
        "POST", "/v2/other/app/blobs/uploads/", body=b"")
    assert (answer.status, answer.code()) == (403, "DENIED"), answer


def test_pushed_content_comes_back_from_every_member(fleet, image):
    for member in everywhere(fleet):
        client = member.client()
        answer = client.get("/v2/team/app/manifests/1.0")
        assert answer.status == 200, (member.name, answer)
        assert digest_of(answer.body) == image == answer.headers["Docker-Content-Digest"]
        assert client.get(f"/v2/team/app/manifests/{image}").body == answer.body
        for layer in json.loads(answer.body)["layers"]:
            blob = client.get(f"/v2/team/app/blobs/{layer['digest']}")
            assert blob.status == 200, (member.name, blob)
            assert digest_of(blob.body) == layer["digest"]


def test_a_tag_is_seen_at_a_node_right_after_the_push(fleet):
    store, node = fleet.store.client(), fleet.nodes["eu-west"].client()
    for turn in range(10):
        pushed = store.push_image("team/turns", f"v{turn}", b"layer %d" % turn)
        answer = node.call("HEAD", f"/v2/team/turns/manifests/v{turn}")
        assert answer.status == 200, answer
        assert answer.headers["Docker-Content-Digest"] == pushed
    tags = wait_for("all tags", lambda: (
        lambda t: t if len(t) == 10 else None)(node.get("/v2/team/turns/tags/list").json()["tags"]))
    assert tags == sorted(tags)


def test_a_moved_tag_is_seen_within_its_time(fleet):
    store, node = fleet.store.client(), fleet.nodes["us-east"].client()
    store.push_image("team/moved", "latest", b"one")
    assert node.get("/v2/team/moved/manifests/latest").status == 200
    second = store.push_image("team/moved", "latest", b"two")
    wait_for("the moved tag", lambda: node.get(
        "/v2/team/moved/manifests/latest").headers["Docker-Content-Digest"] == second, 2.5)


def test_unknown_content_is_404_at_a_connected_node(fleet, image):
    absent = "sha256:" + "0" * 64
    for member in everywhere(fleet):
        client = member.client()
        for path, code in (("team/app/manifests/absent", "MANIFEST_UNKNOWN"),
                           (f"team/app/manifests/{absent}", "MANIFEST_UNKNOWN"),
                           (f"team/app/blobs/{absent}", "BLOB_UNKNOWN"),
                           ("team/nowhere/tags/list", "NAME_UNKNOWN")):
            answer = client.get(f"/v2/{path}")
            assert (answer.status, answer.code()) == (404, code), (member.name, path, answer)


def test_ranges_of_a_blob(fleet, image):
    digest = digest_of(LAYER)
    cases = ((f"bytes=0-99", LAYER[:100], f"bytes 0-99/{len(LAYER)}"),
             (f"bytes=-100", LAYER[-100:], f"bytes 299900-299999/{len(LAYER)}"),
             (f"bytes=299990-400000", LAYER[299990:], f"bytes 299990-299999/{len(LAYER)}"))
    for member in everywhere(fleet):
        for wanted, part, content_range in cases:
            answer = member.client().get(f"/v2/team/app/blobs/{digest}", Range=wanted)
            assert (answer.status, answer.headers["Content-Range"]) == (206, content_range), (member.name, answer)
            assert answer.body == part
        answer = member.client().get(f"/v2/team/app/blobs/{digest}", Range="bytes=300000-")
        assert answer.status == 416, (member.name, answer)


def test_a_manifest_whose_blobs_are_missing_is_refused(fleet):
    client = fleet.store.client()
    answer = client.put_manifest("team/holes", "1", make_manifest(b"{}", [b"never pushed"]))
    assert (answer.status, answer.code()) == (400, "MANIFEST_BLOB_UNKNOWN"), answer
    text = json.dumps(answer.json())
    assert digest_of(b"never pushed") in text
    assert client.get("/v2/team/holes/manifests/1").status == 404


def test_a_blob_of_other_bytes_is_refused(fleet):
    client = fleet.store.client()
    answer = client.finish_upload(client.start_upload("team/app"), digest_of(b"promised"), b"given")
    assert (answer.status, answer.code()) == (400, "DIGEST_INVALID"), answer
    assert client.get(f"/v2/team/app/blobs/{digest_of(b'promised')}").status == 404


def test_an_upload_in_pieces(fleet):
    client = fleet.store.client()
    pieces = [os.urandom(100_000) for _ in range(3)]
    location = client.start_upload("team/pieces")
    for piece in pieces:
        answer = client.call("PATCH", location, body=piece,
                             headers={"Content-Type": "application/octet-stream"})
        assert answer.status == 202, answer
        location = answer.headers["Location"]
    assert answer.headers["Range"] == "0-299999"
    whole = b"".join(pieces)
    assert client.finish_upload(location, digest_of(whole)).status == 201
    assert client.get(f"/v2/team/pieces/blobs/{digest_of(whole)}").body == whole


def test_the_catalog_lists_what_the_user_may_see(fleet, image):
    for member in everywhere(fleet):
        wait_for("the repository", lambda m=member: "team/app" in m.client().get(
            "/v2/_catalog").json()["repositories"])


def test_operations_answer_on_their_own_port(fleet):
    for member in everywhere(fleet):
        assert member.operations("/healthz")[0] == 200
        assert member.operations("/readyz")[0] == 200
        status, text = member.operations("/metrics")
        assert status == 200
        assert "# TYPE outport_" in text


def test_request_ids_cross_from_node_to_store(fleet):
    node = fleet.nodes["us-east"]
    blob = os.urandom(200_000)
    fleet.store.client().push_image("team/traced", "1", blob)
    answer = node.client().get(f"/v2/team/traced/blobs/{digest_of(blob)}",
                               **{"X-Request-Id": "trace-4711"})
    assert answer.status == 200
    assert hashlib.sha256(answer.body).hexdigest() == digest_of(blob)[7:]
    request_id = answer.headers.get("X-Request-Id")
    assert request_id
    for member in (node, fleet.store):
        wait_for(f"the request id in the log of {member.name}",
                 lambda m=member: f'"request_id":"{request_id}"' in m.log_text())


def test_logs_are_json_and_hold_no_secret(fleet):
    for member in everywhere(fleet):
        text = member.log_text()
        assert text, member.name
        for line in text.splitlines():
            entry = json.loads(line)
            assert {"time", "level", "event"} <= entry.keys()
        assert "correct horse" not in text and "PRIVATE KEY" not in text


def test_control_lists_what_is_there(fleet):
    assert "demo" in json.dumps(fleet.control_json("user", "list"))
    assert "desktop" in json.dumps(fleet.control_json("cert", "list"))
    nodes = json.dumps(fleet.control_json("node", "list"))
    assert "eu-west" in nodes and "us-east" in nodes
    assert "eu-west" in fleet.control("status").stdout
    assert "eu-west" in json.dumps(fleet.control_json("status"))


def test_a_removed_user_is_out_everywhere(fleet):
    fleet.control("user", "add", "leaver", "--allow", "pull", stdin="soon to be gone\n")
    clients = [member.client("leaver", "soon to be gone") for member in everywhere(fleet)]
    for client in clients:
        wait_for("the user to arrive", lambda c=client: c.get("/v2/").status == 200)
    fleet.control("user", "remove", "leaver")
    for client in clients:
        wait_for("the user to be out", lambda c=client: c.get("/v2/").status == 401, 2)
