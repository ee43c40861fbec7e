"""Random pushes, retags, mounts and deletions from several clients at once, against a simple model.

Every change that a registry acknowledged carries its number in the store's log. Applied to the model in
the order of these numbers, each must have been possible, and the state at the end must be the model's.
The report of a run contains its seed. OUTPORT_SEED repeats its choices, but not its interleaving.
"""

import collections
import concurrent.futures
import http.client
import json
import os
import random

import pytest

from client import CONFIG, LAYER, MANIFEST, digest_of
from fleet import PASSWORD
from processes import wait_for

REPOSITORIES = ("mix/a", "mix/b", "mix/c")
TAGS = ("1", "2", "latest")
USER = "keeper"
CLIENTS, STEPS = 6, 60

BLOBS = {digest_of(data): data for data in (b"blob %d" % i * 50 for i in range(4))}
CONFIGURATION = b'{"architecture":"amd64","os":"linux"}'
BLOBS[digest_of(CONFIGURATION)] = CONFIGURATION


def manifest_of(*layers):
    def descriptor(kind, digest):
        return {"mediaType": kind, "digest": digest, "size": len(BLOBS[digest])}

    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST,
                       "config": descriptor(CONFIG, digest_of(CONFIGURATION)),
                       "layers": [descriptor(LAYER, layer) for layer in layers]}).encode()


LAYERS = [digest for digest in BLOBS if digest != digest_of(CONFIGURATION)]
MANIFESTS = {digest_of(m): m for m in (
    manifest_of(LAYERS[0]), manifest_of(LAYERS[1]), manifest_of(LAYERS[0], LAYERS[1]),
    manifest_of(LAYERS[2], LAYERS[3]), manifest_of())}


def needs(manifest):
    document = json.loads(MANIFESTS[manifest])
    return {d["digest"] for d in [document["config"], *document["layers"]]}


Operation = collections.namedtuple("Operation", "kind repository subject tag source", defaults=("", "", ""))


def choose(chance):
    kind = chance.choices(["push", "mount", "put", "untag", "delete", "drop"], [6, 3, 8, 2, 2, 2])[0]
    repository = chance.choice(REPOSITORIES)
    if kind == "push":
        return Operation(kind, repository, chance.choice(list(BLOBS)))
    if kind == "mount":
        return Operation(kind, repository, chance.choice(list(BLOBS)), source=chance.choice(REPOSITORIES))
    if kind == "put":
        return Operation(kind, repository, chance.choice(list(MANIFESTS)), chance.choice(TAGS))
    if kind == "untag":
        return Operation(kind, repository, tag=chance.choice(TAGS))
    return Operation(kind, repository, chance.choice(list(MANIFESTS if kind == "delete" else BLOBS)))


class Model:
    """The model: the content of the registry after the changes so far."""

    def __init__(self):
        self.tags = {r: {} for r in REPOSITORIES}
        self.manifests = {r: set() for r in REPOSITORIES}
        self.blobs = {r: set() for r in REPOSITORIES}

    def apply(self, operation, unknown=frozenset()):
        """`unknown`: keys of which nobody knows what became of them."""
        kind, repository, subject, tag, _ = operation
        tags, manifests, blobs = self.tags[repository], self.manifests[repository], self.blobs[repository]
        if kind in ("push", "mount"):
            blobs.add(subject)
        elif kind == "put":
            missing = {("blobs", repository, digest) for digest in needs(subject) - blobs}
            assert missing <= unknown, f"{operation} was taken without its blobs"
            manifests.add(subject)
            tags[tag] = subject
        elif kind == "untag":
            assert tag in tags or ("tags", repository, tag) in unknown, f"{operation} was taken without the tag"
            tags.pop(tag, None)
        elif kind == "delete":
            known = subject in manifests or ("manifests", repository, subject) in unknown
            assert known, f"{operation} was taken without the manifest"
            manifests.discard(subject)
            for name in [name for name, digest in tags.items() if digest == subject]:
                del tags[name]
        else:
            known = subject in blobs or ("blobs", repository, subject) in unknown
            assert known, f"{operation} was taken without the blob"
            users = {("manifests", repository, m) for m in manifests if subject in needs(m)}
            assert users <= unknown, f"{operation} was taken from a manifest"
            blobs.discard(subject)


class Worker:
    """One client: performs its random operations and records the acknowledged ones."""

    def __init__(self, member, seed):
        self.client = member.client(USER, PASSWORD)
        self.chance = random.Random(seed)
        self.connection = None
        self.acknowledged, self.unknown = [], []  # (sequence, operation); operation

    def call(self, method, path, body=b"", headers=None):
        if self.connection is None:
            self.connection = self.client.connect()
        self.connection.request(method, path, body=body, headers=self.client.headers(headers))
        response = self.connection.getresponse()
        response.body = response.read()
        return response

    def send(self, operation):
        kind, repository, subject, tag, source = operation
        at = f"/v2/{repository}"
        if kind == "push":
            return self.call("POST", f"{at}/blobs/uploads/?digest={subject}", BLOBS[subject])
        if kind == "mount":
            return self.call("POST", f"{at}/blobs/uploads/?mount={subject}&from={source}")
        if kind == "put":
            return self.call("PUT", f"{at}/manifests/{tag}", MANIFESTS[subject], {"Content-Type": MANIFEST})
        if kind == "drop":
            return self.call("DELETE", f"{at}/blobs/{subject}")
        return self.call("DELETE", f"{at}/manifests/{tag or subject}")

    def step(self):
        operation = choose(self.chance)
        try:
            answer = self.send(operation)
        except (OSError, http.client.HTTPException):
            self.connection = None
            self.unknown.append(operation)
            return False
        if answer.status in (500, 502) or (answer.status == 503 and not answer.headers["Retry-After"]):
            raise AssertionError(f"{operation}: {answer.status} {answer.body}")
        if answer.status == 503:
            self.unknown.append(operation)  # a node that lost its store during the request
            return False
        done = 202 if operation.kind in ("untag", "delete", "drop") else 201
        if answer.status == done:
            self.acknowledged.append((int(answer.headers["Outport-Sequence"]), operation))
        else:
            allowed = {"push": (), "mount": (202,), "put": (400,), "untag": (404,), "delete": (404,),
                       "drop": (404, 405)}[operation.kind]
            assert answer.status in allowed, f"{operation}: {answer.status} {answer.body}"
        return True

    def work(self):
        for _ in range(STEPS):
            if not self.step():
                return


def run_together(workers, meanwhile=lambda: None):
    with concurrent.futures.ThreadPoolExecutor(len(workers)) as pool:
        running = [pool.submit(worker.work) for worker in workers]
        meanwhile()
        for done in running:
            done.result()


def catch_up(model, workers, unknown=frozenset()):
    """Applies the acknowledged operations in the order of the log."""
    happened = sorted((pair for worker in workers for pair in worker.acknowledged), key=lambda pair: pair[0])
    for _, operation in happened:
        model.apply(operation, unknown)


class Unsettled(Exception):
    """Whether the node is not connected yet, or applies changes between two answers."""


def ask(client, method, path):
    answer = client.call(method, path)
    if answer.status == 503 and answer.headers["Retry-After"]:
        raise Unsettled(path)
    return answer


def state(member):
    """The answers of one member about every possible tag, manifest and blob."""
    client = member.client(USER, PASSWORD)
    found = Model()
    for repository in REPOSITORIES:
        listed = ask(client, "GET", f"/v2/{repository}/tags/list")
        assert listed.status in (200, 404), listed
        names = listed.json()["tags"] if listed.status == 200 else []
        for tag in names:
            answer = ask(client, "GET", f"/v2/{repository}/manifests/{tag}")
            if answer.status == 404:
                raise Unsettled(f"{repository}:{tag} was listed")
            assert answer.status == 200, (repository, tag, answer)
            assert digest_of(answer.body) == answer.headers["Docker-Content-Digest"]
            found.tags[repository][tag] = answer.headers["Docker-Content-Digest"]
        for kind, known, into in (("manifests", MANIFESTS, found.manifests), ("blobs", BLOBS, found.blobs)):
            for digest in known:
                status = ask(client, "HEAD", f"/v2/{repository}/{kind}/{digest}").status
                assert status in (200, 404), (repository, digest, status)
                if status == 200:
                    into[repository].add(digest)
    return found


def keys(model):
    """The state as a flat table."""
    table = {("tags", r, tag): digest for r in REPOSITORIES for tag, digest in model.tags[r].items()}
    for name in ("manifests", "blobs"):
        table |= {(name, r, digest): True for r in REPOSITORIES for digest in getattr(model, name)[r]}
    return table


def differences(model, found):
    wanted, got = keys(model), keys(found)
    return {key: (wanted.get(key), got.get(key)) for key in wanted.keys() | got.keys() if wanted.get(key) != got.get(key)}


def touched(operation):
    """The keys that an operation with an unknown result may have changed."""
    kind, repository, subject, tag, _ = operation
    if kind in ("push", "mount", "drop"):
        return {("blobs", repository, subject)}
    if kind == "untag":
        return {("tags", repository, tag)}
    tags = {("tags", repository, name) for name in (TAGS if kind == "delete" else [tag])}
    return tags | {("manifests", repository, subject)}


def check(fleet, model):
    assert not differences(model, state(fleet.store))
    for node in fleet.nodes.values():
        latest = {}

        def agrees():
            latest.clear()
            try:
                latest.update(differences(model, state(node)))
            except Unsettled as error:
                latest["unsettled"] = str(error)
            return not latest

        wait_for(lambda: f"{node.name} to hold what the store holds: {latest}", agrees, 15)


@pytest.fixture
def mixed(new_fleet):
    fleet = new_fleet("eu-west", "us-east")
    fleet.control("user", "add", USER, "--allow", "pull,push,delete", stdin=PASSWORD + "\n")
    for member in fleet.members():
        wait_for(f"the user at {member.name}", lambda m=member: m.client(USER, PASSWORD).get("/v2/").status == 200)
    return fleet


def test_i10_acknowledged_changes_are_the_state(mixed, record_property):
    seed = int(os.environ.get("OUTPORT_SEED", random.randrange(1 << 30)))
    print(f"OUTPORT_SEED={seed}")
    record_property("seed", seed)
    members = mixed.members()
    model = Model()
    for turn in range(3):
        workers = [Worker(members[i % len(members)], f"{seed} {turn} {i}") for i in range(CLIENTS)]
        run_together(workers)
        assert not [w.unknown for w in workers if w.unknown]
        catch_up(model, workers)
        check(mixed, model)
        mixed.store.stop()
        mixed.store.start()
        check(mixed, model)


def test_i2_acknowledged_changes_outlive_the_store(mixed):
    seed = int(os.environ.get("OUTPORT_SEED", random.randrange(1 << 30)))
    print(f"OUTPORT_SEED={seed}")
    members = mixed.members()
    model = Model()
    for turn in range(3):
        workers = [Worker(members[i % len(members)], f"{seed} {turn} {i}") for i in range(CLIENTS)]

        def kill():
            wait_for("some changes", lambda: sum(len(w.acknowledged) for w in workers) > 20 * (turn + 1))
            mixed.store.kill()

        run_together(workers, kill)
        mixed.store.start()
        unknown = set().union(*(touched(operation) for worker in workers for operation in worker.unknown))
        catch_up(model, workers, unknown)
        found = state(mixed.store)
        lost = {key: both for key, both in differences(model, found).items() if key not in unknown}
        assert not lost, (lost, [w.unknown for w in workers])
        model = found
        check(mixed, model)
