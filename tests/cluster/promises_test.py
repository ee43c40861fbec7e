"""The promises that need several processes, by name (I2, I3, I5, I8, I9 and I11)."""

import hashlib
import os
import threading

import pytest

from client import digest_of
from processes import PATIENCE, SANITIZED, run, wait_for

MIB = 1 << 20


def big_blob(folder, size):
    """A file of `size` random bytes, and its digest."""
    path, hasher = folder / f"blob-{size}", hashlib.sha256()
    with open(path, "wb") as file:
        for _ in range(size // MIB):
            piece = os.urandom(MIB)
            hasher.update(piece)
            file.write(piece)
    return path, "sha256:" + hasher.hexdigest()


def push_file(member, repository, path, digest):
    client = member.client(timeout=120 * PATIENCE)
    location = client.start_upload(repository)
    with open(path, "rb") as file:
        answer = client.call("PATCH", location, body=file, headers={
            "Content-Type": "application/octet-stream",
            "Content-Length": str(path.stat().st_size)})
    assert answer.status == 202, answer
    answer = client.finish_upload(answer.headers["Location"], digest)
    assert answer.status == 201, answer


def pull_digest(client, repository, digest, results, index):
    connection = client.connect()
    connection.request("GET", f"/v2/{repository}/blobs/{digest}", headers=client.headers())
    response, hasher = connection.getresponse(), hashlib.sha256()
    while piece := response.read(MIB):
        hasher.update(piece)
    results[index] = (response.status, "sha256:" + hasher.hexdigest())
    connection.close()


def run_together(threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240 * PATIENCE)


def test_i5_one_blob_crosses_once_for_a_crowd(fleet, tmp_path):
    """I5: sixteen clients of a cold blob cause one ReadBlob, and all stream while it arrives."""
    size = (64 if SANITIZED else 256) * MIB
    path, digest = big_blob(tmp_path, size)
    push_file(fleet.store, "herd/app", path, digest)
    before = reads(fleet)
    node = fleet.nodes["eu-west"]
    results = [None] * 16
    run_together([threading.Thread(target=pull_digest, args=(
        node.client(timeout=120 * PATIENCE), "herd/app", digest, results, index))
                  for index in range(len(results))])
    assert results == [(200, digest)] * len(results)
    assert reads(fleet) - before == 1
    # Later pulls come from the node's own disk.
    again = [None]
    pull_digest(node.client(), "herd/app", digest, again, 0)
    assert again == [(200, digest)]
    assert reads(fleet) - before == 1


def reads(fleet):
    return fleet.store.metric("outport_store_blob_streams_started_total")


def test_i11_a_node_serves_its_content_while_the_store_is_unreachable(new_fleet):
    """I11, and I4: what the node cannot know gets 503 with Retry-After, never 404."""
    fleet = new_fleet("eu-west")
    node = fleet.nodes["eu-west"]
    layer, cold = os.urandom(400_000), os.urandom(400_000)
    digest = fleet.store.client().push_image("team/held", "1", layer)
    fleet.store.client().push_image("team/cold", "1", cold)
    client = node.client()
    for path in ("manifests/1", f"manifests/{digest}", f"blobs/{digest_of(layer)}"):
        assert client.get(f"/v2/team/held/{path}").status == 200
    config = client.get(f"/v2/team/held/manifests/{digest}").json()["config"]["digest"]
    assert client.get(f"/v2/team/held/blobs/{config}").status == 200

    fleet.store.kill()

    answers = []

    def served_stale():
        answers.append(client.get("/v2/team/held/manifests/1"))
        return answers[-1] if answers[-1].headers.get("Warning") else None

    answer = wait_for(lambda: f"the node to notice; it says {answers[-1]}", served_stale, 30)
    assert all(answer.status == 200 for answer in answers), answers
    assert digest_of(answer.body) == digest
    assert answer.headers["Warning"].startswith("299 - ")
    assert int(answer.headers["Age"]) >= 0
    assert client.get(f"/v2/team/held/blobs/{digest_of(layer)}").body == layer

    for path in ("team/held/manifests/absent", "team/nowhere/manifests/1", "team/nowhere/tags/list",
                 f"team/cold/blobs/{digest_of(cold)}"):
        answer = client.get(f"/v2/{path}")
        assert answer.status == 503, (path, answer)
        assert answer.headers["Retry-After"], path

    fleet.store.start()
    wait_for("the node to be connected again",
             lambda: client.get("/v2/team/held/manifests/absent").status == 404, 60)
    answer = client.get("/v2/team/held/manifests/1")
    assert answer.status == 200 and "Warning" not in answer.headers
    assert client.get(f"/v2/team/cold/blobs/{digest_of(cold)}").body == cold


def test_i11_a_node_serves_while_the_store_does_not_answer(new_fleet):
    """The store is there but silent, as behind a broken link: the node sees no refused connection."""
    fleet = new_fleet("eu-west")
    node, layer = fleet.nodes["eu-west"], os.urandom(100_000)
    fleet.store.client().push_image("team/held", "1", layer)
    client = node.client()
    manifest = client.get("/v2/team/held/manifests/1")
    for blob in (digest_of(layer), manifest.json()["config"]["digest"]):
        assert client.get(f"/v2/team/held/blobs/{blob}").status == 200
    answers = []

    def served_stale():
        answers.append(client.get("/v2/team/held/manifests/1"))
        return answers[-1].headers.get("Warning")

    fleet.store.pause()
    try:
        wait_for(lambda: f"the node to notice; it says {answers[-1]}", served_stale, 30)
        assert all(answer.status == 200 for answer in answers), answers
        assert client.get(f"/v2/team/held/blobs/{digest_of(layer)}").body == layer
        answer = client.get("/v2/team/held/manifests/absent")
        assert answer.status == 503 and answer.headers["Retry-After"], answer
    finally:
        fleet.store.resume()
    wait_for("the node to be connected again",
             lambda: client.get("/v2/team/held/manifests/absent").status == 404, 60)


def test_i11_a_node_starts_and_serves_while_the_store_is_unreachable(new_fleet):
    fleet = new_fleet("eu-west")
    node = fleet.nodes["eu-west"]
    layer = os.urandom(100_000)
    digest = fleet.store.client().push_image("team/held", "1", layer)
    client = node.client()
    manifest = client.get("/v2/team/held/manifests/1")
    for blob in (digest_of(layer), manifest.json()["config"]["digest"]):
        assert client.get(f"/v2/team/held/blobs/{blob}").status == 200
    assert node.stop() == 0
    fleet.store.kill()
    node.spawn()
    wait_for("the node to answer", node.healthy)
    answer = wait_for("the manifest", lambda: (
        lambda a: a if a.status == 200 else None)(client.get(f"/v2/team/held/manifests/{digest}")))
    assert digest_of(answer.body) == digest
    assert client.get(f"/v2/team/held/blobs/{digest_of(layer)}").body == layer


def test_i9_a_node_that_lost_its_data_loses_nothing(new_fleet):
    """I9: a node lost its folder, joins again and serves the same content."""
    fleet = new_fleet("eu-west")
    layer = os.urandom(100_000)
    digest = fleet.store.client().push_image("team/app", "1", layer)
    node = fleet.nodes["eu-west"]
    assert node.client().get(f"/v2/team/app/blobs/{digest_of(layer)}").status == 200
    node.kill()
    run("rm", "-rf", node.data)
    fleet.join(node, fleet.invite("eu-west", "--replace"))
    node.start()
    assert digest_of(node.client().get("/v2/team/app/manifests/1").body) == digest
    assert node.client().get(f"/v2/team/app/blobs/{digest_of(layer)}").body == layer


def test_i2_acknowledged_content_survives_a_restart(new_fleet):
    """I2 with a killed process; tests/storage simulates power cuts."""
    fleet = new_fleet("eu-west")
    digest = fleet.store.client().push_image("team/app", "1", b"layer")
    fleet.store.kill()
    fleet.store.start()
    answer = fleet.store.client().get("/v2/team/app/manifests/1")
    assert digest_of(answer.body) == digest


def test_i3_a_node_never_goes_back(new_fleet):
    """I3: while a tag moves, the node's answers never go backwards."""
    fleet = new_fleet("eu-west")
    store, node = fleet.store.client(), fleet.nodes["eu-west"].client()
    order, seen, done = {}, [], threading.Event()
    store.push_image("team/app", "latest", b"0")

    def watch():
        while not done.is_set():
            answer = node.call("HEAD", "/v2/team/app/manifests/latest")
            if answer.status == 200:
                seen.append(answer.headers["Docker-Content-Digest"])

    watcher = threading.Thread(target=watch)
    order[store.call("HEAD", "/v2/team/app/manifests/latest").headers["Docker-Content-Digest"]] = 0
    watcher.start()
    for turn in range(1, 30):
        order[store.push_image("team/app", "latest", b"%d" % turn)] = turn
    last = turn
    wait_for("the last push", lambda: seen and order.get(seen[-1]) == last, 5)
    done.set()
    watcher.join(60)
    turns = [order[digest] for digest in seen]
    assert turns == sorted(turns)


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's own memory is counted too")
def test_i8_daemons_stay_small_under_load(new_fleet, tmp_path):
    """I8: eight clients push and pull small images at both members, then one large cold blob.
    tests/e2e/memory_test.py moves many large blobs."""
    fleet = new_fleet("eu-west")
    node = fleet.nodes["eu-west"]
    members = [fleet.store, node]
    wait_for("the user at the node", lambda: node.client().get("/v2/").status == 200)
    done = [False] * 8

    def work(index):
        for turn in range(20):
            repository, layer = f"load/app{index}", os.urandom(200_000)
            digest = members[(index + turn) % 2].client().push_image(repository, str(turn), layer)
            for member in members:
                client = member.client()
                wait_for("the manifest", lambda: client.get(
                    f"/v2/{repository}/manifests/{digest}").status == 200)
                answer = client.get(f"/v2/{repository}/blobs/{digest_of(layer)}")
                assert answer.body == layer, answer
        done[index] = True

    run_together([threading.Thread(target=work, args=(index,)) for index in range(len(done))])
    assert all(done)

    path, digest = big_blob(tmp_path, 256 * MIB)
    push_file(node, "load/large", path, digest)
    results = [None] * len(done)
    run_together([threading.Thread(target=pull_digest, args=(
        node.client(timeout=120 * PATIENCE), "load/large", digest, results, index))
                  for index in range(len(results))])
    assert results == [(200, digest)] * len(results)
    for member in members:
        assert member.resident_mib("VmHWM") < 200, member.name
