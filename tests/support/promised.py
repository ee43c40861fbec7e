"""What a registry promised: images, what their tags must be, and how to find out whether they are."""

import dataclasses
import functools
import http.client
import json
import threading

from client import CONFIG, LAYER, MANIFEST, digest_of

INDEX = "application/vnd.oci.image.index.v1+json"
FAILURES = (500, 502, 504)


class Violation(AssertionError):
    """The registry broke a promise."""


class Unknown(Exception):
    """Nobody knows whether the request had an effect: a member was killed, or had no store."""


def descriptor(kind, data):
    return {"mediaType": kind, "digest": digest_of(data), "size": len(data)}


@dataclasses.dataclass(frozen=True)
class Content:
    """A manifest, and everything that it needs."""
    media_type: str
    body: bytes
    blobs: tuple = ()  # their bytes; the first one is the config
    children: tuple = ()  # of an index

    @functools.cached_property
    def digest(self):
        return digest_of(self.body)

    def walk(self):
        yield self
        for child in self.children:
            yield from child.walk()


def image(name, layers, subject=None):
    """An image whose config has this name. With a subject, it is a referrer."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "name": name}).encode()
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, config),
                "layers": [descriptor(LAYER, layer) for layer in layers]}
    if subject:
        document["subject"] = descriptor(subject.media_type, subject.body)
    return Content(MANIFEST, json.dumps(document).encode(), (config, *layers))


def index(children, name=""):
    document = {"schemaVersion": 2, "mediaType": INDEX, "annotations": {"name": name},
                "manifests": [descriptor(child.media_type, child.body) for child in children]}
    return Content(INDEX, json.dumps(document).encode(), (), tuple(children))


@dataclasses.dataclass(frozen=True, eq=False)
class Promise:
    """What a tag is: `content` (None: absent). It holds until a request begins that may change the tag."""
    content: Content | None
    sequence: int  # of the change that made it so
    referrers: tuple = ()  # images whose subject is the content

    def everything(self):
        for root in (self.content, *self.referrers):
            yield from root.walk()


class Promises:
    """The promises of all pushers, by repository and tag."""

    def __init__(self):
        self.lock = threading.Lock()
        self.table = {}

    def make(self, repository, tag, promise):
        with self.lock:
            self.table[repository, tag] = promise

    def withdraw(self, repository, tag):
        with self.lock:
            return self.table.pop((repository, tag), None)

    def of(self, repository, tag):
        with self.lock:
            return self.table.get((repository, tag))

    def holds(self, key, promise):
        return self.of(*key) is promise

    def all(self):
        with self.lock:
            return sorted(self.table.items(), key=lambda item: item[0])


class Session:
    """The connections of one thread to the members."""

    def __init__(self, members):
        self.clients = {member.name: member.client() for member in members}
        self.connections = {}

    def send(self, member, method, path, body=b"", **headers):
        """The response, with its body. Unknown if there is none; Violation if the registry failed."""
        client = self.clients[member.name]
        try:
            connection = self.connections.pop(member.name, None) or client.connect()
            connection.request(method, path, body=body, headers=client.headers(headers))
            response = connection.getresponse()
            response.body = response.read()
        except TimeoutError as error:
            raise Violation(f"{method} {path} at {member.name}: no answer") from error
        except (OSError, http.client.HTTPException) as error:
            raise Unknown(f"{method} {path}: {error!r}") from error
        self.connections[member.name] = connection
        if response.status in FAILURES or (response.status == 503 and not response.headers["Retry-After"]):
            raise Violation(f"{method} {path} at {member.name}: {response.status} {response.body}")
        if response.status in (429, 503):
            raise Unknown(f"{method} {path}: {response.status}")
        return response

    def get(self, member, path, sequence=0):
        accept = f"{MANIFEST}, {INDEX}"
        return self.send(member, "GET", path, **{"Accept": accept, "Outport-Min-Sequence": str(sequence)})


def sequence_of(response):
    return int(response.headers["Outport-Sequence"] or 0)


def wrong_bytes(response, digest):
    return response.status == 200 and digest_of(response.body) != digest


def missing(session, member, repository, tag, promise):
    """What the member lacks of what it promised; None if it has everything."""
    at, sequence = f"/v2/{repository}", promise.sequence
    answer = session.get(member, f"{at}/manifests/{tag}", sequence)
    if promise.content is None:
        return None if answer.status == 404 else f"{answer.status} for the tag, which was deleted"
    if answer.status != 200 or answer.body != promise.content.body:
        return f"{answer.status} for the tag: {answer.body[:300]}"
    for content in promise.everything():
        answer = session.get(member, f"{at}/manifests/{content.digest}", sequence)
        if answer.status != 200 or answer.body != content.body:
            return f"{answer.status} for the manifest {content.digest}: {answer.body[:300]}"
        for data in content.blobs:
            answer = session.get(member, f"{at}/blobs/{digest_of(data)}", sequence)
            if answer.status != 200 or answer.body != data:
                return f"{answer.status} for the blob {digest_of(data)}: {answer.body[:300]}"
    return None
