"""Rows of the contract: pushing manifests."""

import re

from exchange import (BLOB, CONFIG, DIGESTS, DOCKER, DOCKER_LIST, DOCKER_MANIFEST, IMAGE, INDEX, LIST, OCI_CONFIG,
                      OCI_EMPTY, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, SECOND, SIGNATURE, Ask, artifact, descriptor,
                      digest, dump, index, manifest, row)

MAX_BYTES = 4 << 20


def put(data, reference="1", status=201, code="", media_type=OCI_MANIFEST, **more):
    fields = {} if media_type is None else {"Content-Type": media_type}
    return Ask("PUT", f"/v2/{{r}}/manifests/{reference}", status, code, send=data, fields=fields, **more)


def get(data, reference="1", media_type=OCI_MANIFEST):
    return Ask("GET", f"/v2/{{r}}/manifests/{reference}", 200, body=data, has={"Content-Type": media_type})


def told(name):
    return {"Location": f"/v2/{{r}}/manifests/{DIGESTS[name]}", "Docker-Content-Digest": DIGESTS[name],
            "Outport-Sequence": re.compile(r"[1-9]\d*"), "Content-Length": "0"}


def accepted(what, data, media_type=OCI_MANIFEST, given="blob config"):
    return row(what + " is taken", put(data, media_type=media_type), get(data, media_type=media_type),
               get(data, digest(data), media_type), given=given)


def refused(what, data, media_type=OCI_MANIFEST, status=400, code="MANIFEST_INVALID", given="blob config", **more):
    return row(what + " is refused", put(data, status=status, code=code, media_type=media_type, **more),
               Ask("GET", "/v2/{r}/manifests/1", 404, "MANIFEST_UNKNOWN"), given=given)


def missing(what, data, *digests, media_type=OCI_MANIFEST, given="blob config"):
    def names_them(world, answer):
        details = str(answer["errors"])
        return (all(d in details for d in digests) and len(answer["errors"]) == len(digests)
                and all(e["code"] == "MANIFEST_BLOB_UNKNOWN" for e in answer["errors"]))

    return row(what + " is refused, each one named", put(
        data, status=400, code="MANIFEST_BLOB_UNKNOWN", media_type=media_type, body=names_them), given=given)


def padded(size):
    """A manifest of exactly so many bytes."""
    room = size - len(manifest(annotations={"padding": ""}))
    return manifest(annotations={"padding": "x" * room})


def foreign(media_type):
    return manifest(layers=[descriptor(media_type, b"elsewhere", urls=["https://example.com/layer"])])


BAD_LAYER = manifest(layers=[{"mediaType": OCI_LAYER, "digest": "sha256:x", "size": 1}])
NEGATIVE = manifest(layers=[{"mediaType": OCI_LAYER, "digest": digest(BLOB), "size": -1}])
NEVER = descriptor(OCI_LAYER, b"never pushed")
NEVER_TOO = descriptor(OCI_CONFIG, b"never pushed either")
NO_CHILD = descriptor(OCI_MANIFEST, b"no manifest")
TEN_TAGS = "&".join(f"tag=t{i}" for i in range(10))
BY_DIGEST = DIGESTS["image"]

ROWS = [
    row("a manifest is put by tag", put(IMAGE, has=told("image")), get(IMAGE), get(IMAGE, BY_DIGEST),
        given="blob config"),
    row("a manifest is put by digest", put(IMAGE, BY_DIGEST, has=told("image")), get(IMAGE, BY_DIGEST),
        Ask("GET", "/v2/{r}/tags/list", 200, body=lambda w, a: a["tags"] == []), given="blob config"),
    row("a manifest is put by sha512", put(IMAGE, DIGESTS["image512"], has=told("image512")),
        get(IMAGE, DIGESTS["image512"]), given="blob config"),
    row("the Location of a push can be pulled", put(IMAGE), Ask("GET", "{location}", 200, body=IMAGE),
        given="blob config"),
    row("a manifest again", put(IMAGE), put(IMAGE), get(IMAGE), given="blob config"),
    row("a tag moves", put(IMAGE), put(SECOND), get(SECOND), get(IMAGE, BY_DIGEST), given="blob config"),
    row("a tag moves back", put(IMAGE), put(SECOND), put(IMAGE), get(IMAGE), given="blob config"),
    row("several tags on one manifest", put(IMAGE, "a"), put(IMAGE, "b"), get(IMAGE, "a"), get(IMAGE, "b"),
        given="blob config"),
    accepted("an OCI manifest", IMAGE), accepted("a Docker manifest", DOCKER, DOCKER_MANIFEST),
    accepted("an OCI index", INDEX, OCI_INDEX, "image"), accepted("a Docker list", LIST, DOCKER_LIST, "docker"),
    accepted("an artifact", SIGNATURE, given="image empty"),
    accepted("no layers", manifest(layers=[])), accepted("an empty index", index([]), OCI_INDEX),
    accepted("an index of an index", index([descriptor(OCI_INDEX, INDEX)]), OCI_INDEX, "index"),
    accepted("an index of mixed kinds", index([descriptor(OCI_MANIFEST, IMAGE), descriptor(DOCKER_MANIFEST, DOCKER)]),
             OCI_INDEX, "image docker"),
    accepted("an unknown field", manifest(more={"a": [1, 2, {"b": None}]})),
    accepted("a descriptor with data", manifest(config=descriptor(OCI_CONFIG, CONFIG, data="e30="))),
    accepted("a layer twice", manifest(layers=[descriptor(OCI_LAYER, BLOB)] * 2)),
    accepted("a manifest without mediaType", manifest(None)),
    accepted("white space", b" \n" + IMAGE + b"\n "),
    accepted("a name in Unicode", manifest(annotations={"name": "\u00fc\u4e2d"})),
    accepted("a manifest of 3.9 MB", padded(3_900_000)), accepted("a manifest of 4 MiB", padded(MAX_BYTES)),
    accepted("an OCI layer from elsewhere",
             foreign("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")),
    accepted("a Docker layer from elsewhere", foreign("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")),
    accepted("a subject that nobody has", artifact("application/vnd.example.x", b"unknown"), given="empty"),
    accepted("the old artifact's config", manifest(config=descriptor("application/vnd.cncf.helm.config.v1+json", CONFIG))),
    row("parameters of the type do not count", put(IMAGE, media_type=OCI_MANIFEST + "; charset=utf-8"), get(IMAGE),
        given="blob config"),
    row("without a type the body's counts", put(IMAGE, media_type=None), get(IMAGE), given="blob config"),
    refused("one byte above 4 MiB", padded(MAX_BYTES + 1), status=413),
    refused("one byte above 4 MiB in chunks of HTTP", padded(MAX_BYTES + 1), status=413, chunked=True),
    row("a manifest in chunks of HTTP", put(IMAGE, chunked=True), get(IMAGE), given="blob config"),
    refused("an empty body", b""), refused("text", b"hello"), refused("half of a manifest", IMAGE[:-10]),
    refused("JSON that is no object", b"[]"), refused("JSON and more", IMAGE + b"x"),
    refused("bytes that are no UTF-8", b'{"schemaVersion":2,"x":"\xff"}'),
    refused("a deep nesting", b'{"a":' * 2000 + b"1" + b"}" * 2000),
    refused("schema 1", dump({"schemaVersion": 1, "name": "x", "tag": "y", "fsLayers": [], "history": []}),
            "application/vnd.docker.distribution.manifest.v1+prettyjws"),
    refused("another schemaVersion", IMAGE.replace(b'"schemaVersion": 2', b'"schemaVersion": 3')),
    refused("no schemaVersion", IMAGE.replace(b'"schemaVersion": 2, ', b"")),
    refused("a type that no registry stores", IMAGE, "text/plain"),
    refused("a type other than the body's", IMAGE, DOCKER_MANIFEST),
    refused("an index as a manifest", INDEX, OCI_MANIFEST, given="image"),
    refused("no config", manifest(config={"size": 1})), refused("layers that are no list", manifest(layers={"a": 1})),
    refused("a layer with a malformed digest", BAD_LAYER, says="sha256:x"),
    refused("a layer with a negative size", NEGATIVE),
    refused("a layer that is no object", manifest(layers=["x"])),
    refused("a subject that is no descriptor", manifest(subject="x")),
    missing("a missing layer", manifest(layers=[NEVER]), NEVER["digest"]),
    missing("a missing config and layer", manifest(config=NEVER_TOO, layers=[NEVER]), NEVER["digest"],
            NEVER_TOO["digest"]),
    missing("a missing child", index([NO_CHILD]), NO_CHILD["digest"], media_type=OCI_INDEX),
    missing("a blob of another repository", IMAGE, DIGESTS["blob"], DIGESTS["config"], given=()),
    row("a blob that comes later", put(IMAGE, status=400, code="MANIFEST_BLOB_UNKNOWN"),
        Ask("POST", "/v2/{r}/blobs/uploads/?digest={blob}", 201, send=BLOB), put(IMAGE), get(IMAGE), given="config"),
    row("another digest than the body's", put(IMAGE, DIGESTS["second"], 400, "DIGEST_INVALID", says=DIGESTS["second"]),
        Ask("GET", "/v2/{r}/manifests/{second}", 404, "MANIFEST_UNKNOWN"), given="blob config"),
    row("another sha512 than the body's", put(IMAGE, DIGESTS["second512"], 400, "DIGEST_INVALID"),
        given="blob config"),
    row("a malformed digest", put(IMAGE, "sha256:baddigeststring", 400, "DIGEST_INVALID"), given="blob config"),
    row("a tag that begins with a dot", put(IMAGE, ".hidden", 400, "TAG_INVALID", says=".hidden"), given="blob config"),
    row("a tag that begins with a dash", put(IMAGE, "-x", 400, "TAG_INVALID"), given="blob config"),
    row("a tag of 129 characters", put(IMAGE, "t" * 129, 400, "TAG_INVALID"), given="blob config"),
    row("a tag of 128 characters", put(IMAGE, "t" * 128), get(IMAGE, "t" * 128), given="blob config"),
    row("a tag with every character", put(IMAGE, "_A.b-C_9"), get(IMAGE, "_A.b-C_9"), given="blob config"),
    row("a tag with an escaped space", put(IMAGE, "a%20b", 400, "TAG_INVALID"), given="blob config"),

    row("a subject is acknowledged", put(SIGNATURE, has={"OCI-Subject": BY_DIGEST}), given="image empty"),
    row("a subject is acknowledged by digest", put(SIGNATURE, DIGESTS["signature"], has={"OCI-Subject": BY_DIGEST}),
        given="image empty"),
    row("an index's subject is acknowledged", put(
        index([], subject=descriptor(OCI_MANIFEST, IMAGE)), media_type=OCI_INDEX, has={"OCI-Subject": BY_DIGEST}),
        given="image"),
    row("no subject, no acknowledgement", put(IMAGE, has={"OCI-Subject": None}), given="blob config"),

    row("tags with the push", put(IMAGE, BY_DIGEST + "?tag=a&tag=b", has={"OCI-Tag": re.compile("a(, ?| )?b?")}),
        get(IMAGE, "a"), get(IMAGE, "b"), given="blob config"),
    row("ten tags with the push", put(IMAGE, f"{BY_DIGEST}?{TEN_TAGS}"), get(IMAGE, "t0"), get(IMAGE, "t9"),
        Ask("GET", "/v2/{r}/tags/list", 200, body=lambda w, a: len(a["tags"]) == 10), given="blob config"),
    row("a sha512 manifest gets a tag", put(IMAGE, DIGESTS["image512"] + "?tag=a"),
        Ask("GET", "/v2/{r}/manifests/a", 200, body=IMAGE, has={"Docker-Content-Digest": "{image512}"}),
        given="blob config"),
    row("a bad tag among good ones: none is set",
        put(IMAGE, BY_DIGEST + "?tag=good&tag=.bad", 400, "TAG_INVALID", says=".bad"),
        Ask("GET", "/v2/{r}/manifests/good", 404, "MANIFEST_UNKNOWN"), given="blob config"),
    row("too many tags", put(IMAGE, BY_DIGEST + "?" + "&".join(f"tag=t{i}" for i in range(200)), 414, "UNSUPPORTED"),
        given="blob config"),
    row("an empty config", Ask("POST", "/v2/{r}/blobs/uploads/?digest={empty}", 201, send=b"{}"),
        put(manifest(config=descriptor(OCI_EMPTY, b"{}"), layers=[], artifactType="application/x")), given=()),
]
