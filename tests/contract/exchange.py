"""The parts of the contract's rows: requests and their required answers.

A row is tried in a fresh repository. Its texts may name, in braces, what the row's world knows: {r},
the repository; {other}, a second one; {location}, where the last answer pointed; {first}, where the
row's first answer pointed; and the contents below ({blob}, {image}, ...), which stand for digests.
"""

import dataclasses
import hashlib
import json
import re

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCTETS = "application/octet-stream"
JSON = "application/json"


def digest(data, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def dump(document):
    return json.dumps(document).encode()


def descriptor(media_type, content, **more):
    return {"mediaType": media_type, "digest": digest(content), "size": len(content), **more}


BLOB = bytes(i * 7 % 251 for i in range(2048))
CONFIG = dump({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}})
EMPTY = b"{}"
ABSENT = b"nobody ever pushed this"


def manifest(media_type=OCI_MANIFEST, config=None, layers=None, **more):
    document = {"schemaVersion": 2, "mediaType": media_type,
                "config": config or descriptor(OCI_CONFIG, CONFIG),
                "layers": [descriptor(OCI_LAYER, BLOB)] if layers is None else layers, **more}
    return dump({key: value for key, value in document.items() if value is not None})


def index(children, media_type=OCI_INDEX, **more):
    document = {"schemaVersion": 2, "mediaType": media_type, "manifests": children, **more}
    return dump({key: value for key, value in document.items() if value is not None})


IMAGE = manifest()
SECOND = manifest(annotations={"turn": "two"})
DOCKER = manifest(DOCKER_MANIFEST, descriptor(DOCKER_CONFIG, CONFIG), [descriptor(DOCKER_LAYER, BLOB)])
INDEX = index([descriptor(OCI_MANIFEST, IMAGE, platform={"architecture": "amd64", "os": "linux"})])
LIST = index([descriptor(DOCKER_MANIFEST, DOCKER, platform={"architecture": "amd64", "os": "linux"})],
             DOCKER_LIST)


def artifact(artifact_type, subject=IMAGE, subject_type=OCI_MANIFEST, **annotations):
    return manifest(config=descriptor(OCI_EMPTY, EMPTY), layers=[], artifactType=artifact_type,
                    subject=descriptor(subject_type, subject), annotations=annotations or None)


SIGNATURE = artifact("application/vnd.example.signature", note="signed")
BILL = artifact("application/vnd.example.sbom", format="spdx")

CONTENTS = {"blob": BLOB, "config": CONFIG, "empty": EMPTY, "absent": ABSENT, "image": IMAGE,
            "second": SECOND, "docker": DOCKER, "index": INDEX, "list": LIST,
            "signature": SIGNATURE, "bill": BILL}
DIGESTS = {name: digest(data) for name, data in CONTENTS.items()}
DIGESTS |= {name + "512": digest(data, "sha512") for name, data in CONTENTS.items()}


@dataclasses.dataclass(frozen=True)
class Ask:
    """One request, and its required answer."""
    method: str
    target: str
    status: int
    code: str = ""          # the first error code of the body; "" where the answer is no error
    send: bytes = b""
    fields: dict = dataclasses.field(default_factory=dict)
    # A header of the answer: its text, None if it must be absent, or a pattern as re.compile() makes.
    has: dict = dataclasses.field(default_factory=dict)
    body: object = None     # the answer's bytes, or a function of the world and the answer's JSON
    user: object = "demo"   # the user; None: no password
    says: str = ""          # what the error's message must name
    chunked: bool = False   # the body is sent in chunks, without a length


@dataclasses.dataclass(frozen=True)
class Row:
    what: str
    asks: tuple
    given: tuple = ()       # pushed to {r} before the request


def row(what, *asks, given=()):
    return Row(what, asks, tuple(given.split() if isinstance(given, str) else given))


class World:
    """The names that a row's texts may use, and the registry that answers."""

    def __init__(self, clients, repository):
        self.clients = clients  # by user; None: without a password
        self.names = {"r": "c/" + repository, "other": "d/" + repository, **DIGESTS}

    def text(self, template):
        return re.sub(r"\{(\w+)\}", lambda found: self.names[found[1]], template)

    def call(self, ask):
        fields = {name: self.text(value) for name, value in ask.fields.items()}
        send = ask.send
        if ask.chunked:
            send = iter([ask.send[i:i + 1000] for i in range(0, len(ask.send), 1000)])
            fields["Transfer-Encoding"] = "chunked"
        elif ask.method in ("GET", "HEAD") and not send:
            send = None
        answer = self.clients[ask.user].call(ask.method, self.text(ask.target), send, fields,
                                             chunked=ask.chunked)
        location = answer.headers["Location"]
        if location is not None:
            self.names["location"] = location
            self.names.setdefault("first", location)
        return answer

    def check(self, ask):
        answer = self.call(ask)
        told = f"{ask.method} {self.text(ask.target)}: {answer}"
        assert answer.status == ask.status, told
        assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0", told
        if ask.method == "HEAD":
            assert answer.body == b"", told
        elif ask.status >= 400:
            assert answer.code() == ask.code, told
            assert answer.headers["Content-Type"] == JSON, told
            assert len(answer.message()) > 10, told
        if ask.says:
            assert self.text(ask.says) in answer.message(), told
        for name, wanted in ask.has.items():
            got = answer.headers[name]
            if isinstance(wanted, re.Pattern):
                assert got is not None and wanted.fullmatch(got), (name, wanted.pattern, told)
            else:
                assert got == (None if wanted is None else self.text(wanted)), (name, wanted, told)
        if callable(ask.body):
            assert ask.body(self, answer.json()), told
        elif ask.body is not None:
            assert answer.body == ask.body, told

    def give(self, name):
        """Pushes the content that a row needs."""
        data = CONTENTS[name]
        document = json.loads(data) if name not in ("blob", "config", "empty", "absent") else None
        if document is None:
            self.push_blob(data)
            return
        for wanted in ("config", "empty", "blob"):
            if DIGESTS[wanted] in data.decode():
                self.push_blob(CONTENTS[wanted])
        for child in CONTENTS:
            if any(d["digest"] == DIGESTS[child] for d in document.get("manifests", [])):
                self.give(child)
        self.put(name, data)

    def push_blob(self, data):
        start = self.call(Ask("POST", "/v2/{r}/blobs/uploads/", 202))
        assert start.status == 202, start
        done = self.call(Ask("PUT", "{location}?digest=" + digest(data), 201, send=data,
                             fields={"Content-Type": OCTETS}))
        assert done.status == 201, done
        self.names.pop("first", None)

    def put(self, tag, data):
        answer = self.call(Ask("PUT", "/v2/{r}/manifests/" + tag, 201, send=data,
                               fields={"Content-Type": json.loads(data)["mediaType"]}))
        assert answer.status == 201, answer
        self.names.pop("first", None)
