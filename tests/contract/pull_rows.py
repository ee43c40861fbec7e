"""Rows of the contract: pulling manifests and blobs."""

from exchange import (BLOB, DIGESTS, DOCKER, DOCKER_LIST, DOCKER_MANIFEST, IMAGE, INDEX, LIST, OCI_INDEX,
                      OCI_MANIFEST, OCTETS, SIGNATURE, Ask, row)

TAG = "/v2/{r}/manifests/image"
BY_DIGEST = "/v2/{r}/manifests/{image}"
STORED = "/v2/{r}/blobs/{blob}"
NEVER_PUSHED = "sha256:" + "0" * 64


def served(name, body, media_type):
    """By tag and by digest, GET and HEAD: the same bytes, type, length and digest."""
    has = {"Content-Type": media_type, "Docker-Content-Digest": DIGESTS[name],
           "Content-Length": str(len(body)), "ETag": f'"{DIGESTS[name]}"'}
    return row(f"{name} is served as it was pushed", *(
        Ask(method, f"/v2/{{r}}/manifests/{reference}", 200, has=has, body=body if method == "GET" else None)
        for method in ("GET", "HEAD") for reference in (name, DIGESTS[name])), given=name)


def accepts(accept):
    return row(f"the stored type is served to Accept: {accept}",
               Ask("GET", TAG, 200, fields={"Accept": accept}, body=IMAGE,
                   has={"Content-Type": OCI_MANIFEST}), given="image")


def unchanged(what, target, field, given="image"):
    return row(what, Ask("GET", target, 304, fields={"If-None-Match": field}, body=b""),
               Ask("HEAD", target, 304, fields={"If-None-Match": field}), given=given)


def bad_digest(text):
    return row(f"{text[:20]} of {len(text)} characters is no digest: 400",
               Ask("GET", f"/v2/{{r}}/blobs/{text}", 400, "DIGEST_INVALID"),
               Ask("HEAD", f"/v2/{{r}}/blobs/{text}", 400), given="blob")


def part(text, first, last):
    size = last - first + 1
    return row(f"Range {text}", Ask("GET", STORED, 206, fields={"Range": text}, body=BLOB[first:last + 1], has={
        "Content-Range": f"bytes {first}-{last}/2048", "Content-Length": str(size),
        "Docker-Content-Digest": "{blob}"}), given="blob")


def unsatisfiable(text, target=STORED, size=2048, given="blob"):
    return row(f"Range {text} of {size} bytes cannot be had", Ask(
        "GET", target, 416, "RANGE_INVALID", fields={"Range": text}, has={"Content-Range": f"bytes */{size}"}),
        Ask("GET", STORED, 200 if given == "blob" else 404, "" if given == "blob" else "BLOB_UNKNOWN"),
        given=given)


def whole(text):
    return row(f"Range {text!r} means nothing: the whole",
               Ask("GET", STORED, 200, fields={"Range": text}, body=BLOB), given="blob")


ROWS = [
    served("image", IMAGE, OCI_MANIFEST), served("docker", DOCKER, DOCKER_MANIFEST),
    served("index", INDEX, OCI_INDEX), served("list", LIST, DOCKER_LIST),
    served("signature", SIGNATURE, OCI_MANIFEST),
    accepts("*/*"), accepts("application/*"), accepts(OCI_MANIFEST), accepts(DOCKER_MANIFEST),
    accepts(f"{OCI_INDEX}, {OCI_MANIFEST};q=0.5"), accepts("text/html"),
    row("a tag that is not there", Ask("GET", "/v2/{r}/manifests/2", 404, "MANIFEST_UNKNOWN", says="2"),
        Ask("HEAD", "/v2/{r}/manifests/2", 404), given="image"),
    row("a manifest that is not there", Ask("GET", f"/v2/{{r}}/manifests/{NEVER_PUSHED}", 404, "MANIFEST_UNKNOWN",
                                            says=NEVER_PUSHED), given="image"),
    row("a repository that is not there", Ask("GET", TAG, 404, "NAME_UNKNOWN", says="{r}"),
        Ask("GET", BY_DIGEST, 404, "NAME_UNKNOWN"), Ask("GET", STORED, 404, "NAME_UNKNOWN"),
        Ask("HEAD", TAG, 404), Ask("HEAD", STORED, 404)),
    row("what no push could have named is not there",
        Ask("GET", "/v2/{r}/manifests/.INVALID_MANIFEST_NAME", 404, "MANIFEST_UNKNOWN"),
        Ask("HEAD", "/v2/{r}/manifests/.INVALID_MANIFEST_NAME", 404), given="image"),
    row("a tag of 129 characters is not there",
        Ask("GET", "/v2/{r}/manifests/" + "a" * 129, 404, "MANIFEST_UNKNOWN"), given="image"),
    row("a malformed digest is refused",
        Ask("GET", "/v2/{r}/manifests/sha256:baddigeststring", 400, "DIGEST_INVALID"), given="image"),
    row("an unknown algorithm is refused",
        Ask("GET", "/v2/{r}/manifests/md5:" + "0" * 32, 400, "DIGEST_INVALID", says="md5"), given="image"),
    row("a blob is no manifest", Ask("GET", "/v2/{r}/manifests/{blob}", 404, "MANIFEST_UNKNOWN"), given="image"),
    row("an escaped colon is a colon", Ask("GET", "/v2/{r}/manifests/sha256%3A" + DIGESTS["image"][7:], 200,
                                           body=IMAGE), given="image"),
    row("a manifest of another repository is not seen",
        Ask("GET", "/v2/{other}/manifests/{image}", 404, "NAME_UNKNOWN"), given="image"),
    unchanged("If-None-Match of a tag", TAG, '"{image}"'),
    unchanged("If-None-Match without quotes", TAG, "{image}"),
    unchanged("If-None-Match of a digest", BY_DIGEST, '"{image}"'),
    unchanged("a weak If-None-Match", TAG, 'W/"{image}"'),
    unchanged("a list in If-None-Match", TAG, '"x", "{image}"'),
    unchanged("If-None-Match: *", TAG, "*"),
    unchanged("If-None-Match of a blob", STORED, '"{blob}"', given="blob"),
    row("another If-None-Match", Ask("GET", TAG, 200, fields={"If-None-Match": '"{blob}"'}, body=IMAGE),
        given="image"),

    row("a blob is served", Ask("GET", STORED, 200, body=BLOB, has={
        "Content-Type": OCTETS, "Content-Length": "2048", "Docker-Content-Digest": "{blob}",
        "ETag": '"{blob}"', "Accept-Ranges": "bytes"}), given="blob"),
    row("a blob's HEAD is its GET without the body", Ask("HEAD", STORED, 200, has={
        "Content-Type": OCTETS, "Content-Length": "2048", "Docker-Content-Digest": "{blob}",
        "ETag": '"{blob}"', "Accept-Ranges": "bytes"}), given="blob"),
    row("a blob that is not there", Ask("GET", "/v2/{r}/blobs/{absent}", 404, "BLOB_UNKNOWN", says="{absent}"),
        Ask("HEAD", "/v2/{r}/blobs/{absent}", 404), given="blob"),
    row("a blob of another repository is not seen", Ask("GET", "/v2/{other}/blobs/{blob}", 404, "NAME_UNKNOWN"),
        Ask("HEAD", "/v2/{other}/blobs/{blob}", 404), given="blob"),
    row("a manifest is no blob", Ask("GET", "/v2/{r}/blobs/{image}", 404, "BLOB_UNKNOWN"), given="image"),
    row("an escaped colon in a blob's digest", Ask("GET", "/v2/{r}/blobs/sha256%3a" + DIGESTS["blob"][7:], 200,
                                                   body=BLOB), given="blob"),
    bad_digest("sha256:abc"), bad_digest("sha256:" + "A" * 64), bad_digest("sha256:" + "0" * 63),
    bad_digest("sha256:" + "0" * 65), bad_digest("sha512:" + "0" * 64), bad_digest("md5:" + "0" * 32),
    bad_digest("latest"), bad_digest("sha256"), bad_digest(":" + "0" * 64), bad_digest("sha256:" + "g" * 64),
    part("bytes=500-1499", 500, 1499), part("bytes=500-", 500, 2047), part("bytes=-500", 1548, 2047),
    part("bytes=2000-5000", 2000, 2047), part("bytes=0-0", 0, 0), part("bytes=0-", 0, 2047),
    part("bytes=2047-2047", 2047, 2047), part("bytes=-5000", 0, 2047), part("bytes=0-2047", 0, 2047),
    unsatisfiable("bytes=2048-"), unsatisfiable("bytes=5000-6000"), unsatisfiable("bytes=-0"),
    unsatisfiable("bytes=500-0"), unsatisfiable("bytes=x-y"),
    whole("lines=1-2"), whole("bytes=0-1,5-6"), whole("500-600"), whole("bytes"),
    row("If-Range of this blob: the part", Ask("GET", STORED, 206, body=BLOB[:10], fields={
        "Range": "bytes=0-9", "If-Range": '"{blob}"'}), given="blob"),
    row("If-Range of another: the whole", Ask("GET", STORED, 200, body=BLOB, fields={
        "Range": "bytes=0-9", "If-Range": '"{image}"'}), given="blob"),
    row("an empty blob", Ask("POST", "/v2/{r}/blobs/uploads/", 202),
        Ask("PUT", "{location}?digest=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 201),
        Ask("HEAD", "{location}", 200, has={"Content-Length": "0"}), Ask("GET", "{location}", 200, body=b""),
        Ask("GET", "{location}", 416, "RANGE_INVALID", fields={"Range": "bytes=0-"},
            has={"Content-Range": "bytes */0"})),
]
