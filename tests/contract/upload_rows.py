"""Rows of the contract: pushing blobs."""

import re

from exchange import ABSENT, BLOB, DIGESTS, EMPTY, OCTETS, Ask, digest, row

START = "/v2/{r}/blobs/uploads/"
SESSION = re.compile(r"/v2/c/[^?]+/blobs/uploads/[0-9A-Za-z_-]+")
ID = re.compile(r"[0-9A-Za-z_-]+")
PULLED = "/v2/{r}/blobs/{blob}"
TYPE = {"Content-Type": OCTETS}


def begin(**more):
    return Ask("POST", START, 202, **more)


def chunk(first, last, status=202, code="", target="{location}", **more):
    fields = {**TYPE, "Content-Range": f"{first}-{last}"}
    return Ask("PATCH", target, status, code, send=BLOB[first:last + 1], fields=fields, **more)


def stream(data, status=202, code="", target="{location}", **more):
    return Ask("PATCH", target, status, code, send=data, fields=TYPE, **more)


def close(named=DIGESTS["blob"], status=201, code="", send=b"", target="{location}", fields=None, **more):
    return Ask("PUT", f"{target}?digest={named}", status, code, send=send, fields={**TYPE, **(fields or {})}, **more)


def at(size):
    """The header fields of every answer about a session: its location, id and offset."""
    return {"Location": SESSION, "Docker-Upload-UUID": ID, "Range": f"0-{max(size, 1) - 1}", "Content-Length": "0"}


def left_at(size):
    """The same for an answer without a length, or with a body."""
    return {"Location": SESSION, "Docker-Upload-UUID": ID, "Range": f"0-{max(size, 1) - 1}"}


def stored(data=BLOB, named=DIGESTS["blob"]):
    return Ask("GET", f"/v2/{{r}}/blobs/{named}", 200, body=data, has={"Docker-Content-Digest": named})


def refused_digest(text, what):
    return row(f"{what} does not close an upload", begin(), stream(BLOB),
               close(text, 400, "DIGEST_INVALID"), Ask("GET", PULLED, 404, "NAME_UNKNOWN"))


def refused_range(text, status, code, received=500):
    return row(f"a chunk of 500 bytes with Content-Range {text!r}", begin(), chunk(0, 499),
               Ask("PATCH", "{location}", status, code, send=BLOB[500:1000], fields={**TYPE, "Content-Range": text}),
               Ask("GET", "{first}", 204, has=left_at(received)), stream(BLOB[500:], target="{first}"), close(), stored())


def gone():
    return [Ask("GET", "{first}", 404, "BLOB_UPLOAD_UNKNOWN"), Ask("HEAD", "{first}", 404),
            stream(b"x", 404, "BLOB_UPLOAD_UNKNOWN", "{first}"),
            close(status=404, code="BLOB_UPLOAD_UNKNOWN", target="{first}"),
            Ask("DELETE", "{first}", 404, "BLOB_UPLOAD_UNKNOWN")]


DONE = {"Location": "/v2/{r}/blobs/{blob}", "Docker-Content-Digest": "{blob}", "Content-Length": "0",
        "Outport-Sequence": re.compile(r"[1-9]\d*")}
DONE512 = {"Location": "/v2/{r}/blobs/{blob512}", "Docker-Content-Digest": "{blob512}"}

ROWS = [
    row("an upload begins", begin(has=at(0))),
    row("an upload begins without the slash", Ask("POST", "/v2/{r}/blobs/uploads", 202, has=at(0))),
    row("two uploads are two sessions", begin(), begin(), Ask("GET", "{first}", 204), Ask("GET", "{location}", 204)),
    row("POST, PUT: the whole blob", begin(), close(send=BLOB, has=DONE), stored()),
    row("POST, PUT in chunks of HTTP", begin(), close(send=BLOB, chunked=True, has=DONE), stored()),
    row("POST with a digest: the whole blob at once",
        Ask("POST", START + "?digest={blob}", 201, send=BLOB, fields=TYPE, has=DONE), stored()),
    row("POST with a digest, escaped",
        Ask("POST", START + "?digest=sha256%3A" + DIGESTS["blob"][7:], 201, send=BLOB, fields=TYPE, has=DONE)),
    row("POST with a digest, in chunks of HTTP",
        Ask("POST", START + "?digest={blob}", 201, send=BLOB, fields=TYPE, chunked=True, has=DONE), stored()),
    row("POST with a digest of other bytes", Ask(
        "POST", START + "?digest={absent}", 400, "DIGEST_INVALID", send=BLOB, fields=TYPE),
        Ask("GET", "/v2/{r}/blobs/{absent}", 404, "NAME_UNKNOWN")),
    row("POST with a malformed digest",
        Ask("POST", START + "?digest=sha256:x", 400, "DIGEST_INVALID", send=BLOB, fields=TYPE)),
    row("POST with an unknown algorithm",
        Ask("POST", START + "?digest=md5:" + "0" * 32, 400, "DIGEST_INVALID", send=BLOB, fields=TYPE)),
    row("POST with a digest and sha512",
        Ask("POST", START + "?digest={blob512}", 201, send=BLOB, fields=TYPE, has=DONE512),
        stored(named=DIGESTS["blob512"])),
    row("POST, PATCH, PUT: docker's way", begin(), stream(BLOB, chunked=True, has=at(2048)), close(has=DONE), stored()),
    row("POST, PATCH with a length, PUT", begin(), stream(BLOB, has=at(2048)), close(), stored()),
    row("several streams append", begin(), stream(BLOB[:7], has=at(7)), stream(BLOB[7:1000], has=at(1000)),
        stream(BLOB[1000:]), close(), stored()),
    row("an empty stream appends nothing", begin(), stream(b"", has=at(0)), stream(BLOB), close(), stored()),
    row("an empty stream in chunks of HTTP", begin(), stream(b"", chunked=True, has=at(0)), stream(BLOB), close()),
    row("a stream without a type", begin(), Ask("PATCH", "{location}", 202, send=BLOB), close(), stored()),
    row("chunks in order", begin(), chunk(0, 499, has=at(500)), chunk(500, 999, has=at(1000)),
        chunk(1000, 2047, has=at(2048)), close(has=DONE), stored()),
    row("chunks, the last one with the PUT", begin(), chunk(0, 1023), close(
        send=BLOB[1024:], fields={"Content-Range": "1024-2047"}, has=DONE), stored()),
    row("a stream, the rest with the PUT", begin(), stream(BLOB[:100]), close(send=BLOB[100:], has=DONE), stored()),
    row("one chunk is the whole", begin(), chunk(0, 2047), close(), stored()),
    row("a chunk before its turn", begin(), chunk(500, 999, 416, "RANGE_INVALID", has=left_at(0)),
        chunk(0, 2047, target="{first}"), close(), stored()),
    row("a chunk that leaves a hole", begin(), chunk(0, 499), chunk(600, 999, 416, "RANGE_INVALID", has=left_at(500)),
        chunk(500, 2047), close(), stored()),
    row("a chunk again", begin(), chunk(0, 499), chunk(0, 499, 416, "RANGE_INVALID", has=left_at(500)),
        chunk(500, 2047), close(), stored()),
    row("a chunk that overlaps", begin(), chunk(0, 499), chunk(400, 999, 416, "RANGE_INVALID", has=left_at(500)),
        chunk(500, 2047), close(), stored()),
    row("a chunk again at the session's first location", begin(), chunk(0, 499), chunk(500, 999),
        chunk(500, 999, 416, "RANGE_INVALID", "{first}", has=left_at(1000)), chunk(1000, 2047, target="{first}"),
        close(target="{first}"), stored()),
    row("a closing chunk before its turn", begin(), chunk(0, 499), close(
        status=416, code="RANGE_INVALID", send=BLOB[600:], fields={"Content-Range": "600-2047"}, has=left_at(500)),
        Ask("GET", "{first}", 204, has=left_at(500)), chunk(500, 2047), close(), stored()),
    refused_range("500-", 416, "RANGE_INVALID"), refused_range("bytes 500-999/2048", 416, "RANGE_INVALID"),
    refused_range("-500", 416, "RANGE_INVALID"), refused_range("x-y", 416, "RANGE_INVALID"),
    refused_range("999-500", 416, "RANGE_INVALID"), refused_range("500-998", 400, "SIZE_INVALID"),
    refused_range("500-1999", 400, "SIZE_INVALID"),
    row("a closing chunk whose length is another", begin(), chunk(0, 499), close(
        status=400, code="SIZE_INVALID", send=BLOB[500:], fields={"Content-Range": "500-600"}),
        Ask("GET", "{first}", 204, has=left_at(500))),
    row("where an upload stands", begin(), stream(BLOB[:100]), Ask("GET", "{location}", 204, has={
        **left_at(100), "Content-Length": None}), Ask("HEAD", "{location}", 204)),
    row("where a new upload stands", begin(), Ask("GET", "{location}", 204)),
    row("a session that never was", Ask("GET", START + "nosuchsession", 404, "BLOB_UPLOAD_UNKNOWN"),
        stream(BLOB, 404, "BLOB_UPLOAD_UNKNOWN", START + "nosuchsession"),
        close(status=404, code="BLOB_UPLOAD_UNKNOWN", target=START + "nosuchsession"),
        Ask("DELETE", START + "nosuchsession", 404, "BLOB_UPLOAD_UNKNOWN")),
    row("an id that could mean a file", Ask("GET", START + "..%5Cx", 404, "BLOB_UPLOAD_UNKNOWN")),
    row("an upload is cancelled", begin(), stream(BLOB), Ask("DELETE", "{location}", 204), *gone(),
        Ask("GET", PULLED, 404, "NAME_UNKNOWN")),
    row("an upload that is done is gone", begin(), close(send=BLOB), *gone(), stored()),
    row("a session of another repository is unknown", begin(),
        Ask("GET", "/v2/{other}/blobs/uploads/x", 404, "BLOB_UPLOAD_UNKNOWN")),
    row("a PUT without a digest", begin(), stream(BLOB),
        Ask("PUT", "{location}", 400, "DIGEST_INVALID", says="digest", fields=TYPE), close(target="{first}"), stored()),
    refused_digest("sha256:abc", "a short digest"), refused_digest("sha256:" + "G" * 64, "a digest that is no hex"),
    refused_digest("md5:" + "0" * 32, "an unknown algorithm"), refused_digest("latest", "a tag"),
    refused_digest("", "an empty digest"), refused_digest(digest(ABSENT), "the digest of other bytes"),
    refused_digest(digest(ABSENT, "sha512"), "the sha512 of other bytes"),
    row("after other bytes the session is gone", begin(), stream(BLOB),
        close(digest(ABSENT), 400, "DIGEST_INVALID", says=digest(ABSENT)), *gone()),
    row("an upload named by sha512", begin(), stream(BLOB), close(DIGESTS["blob512"], has=DONE512),
        stored(named=DIGESTS["blob512"]), Ask("HEAD", "/v2/{r}/blobs/{blob512}", 200, has={"Content-Length": "2048"})),
    row("an upload that says sha512 first", Ask("POST", START + "?digest-algorithm=sha512", 202), stream(BLOB),
        close(DIGESTS["blob512"], has=DONE512), stored(named=DIGESTS["blob512"])),
    row("an upload that says sha512 and is closed with sha256", Ask("POST", START + "?digest-algorithm=sha512", 202),
        stream(BLOB), close(), stored()),
    row("an upload that says sha256", Ask("POST", START + "?digest-algorithm=sha256", 202), stream(BLOB), close()),
    row("an upload that says an unknown algorithm",
        Ask("POST", START + "?digest-algorithm=md5", 400, "DIGEST_INVALID", says="md5")),
    row("an empty blob in one POST", Ask(
        "POST", START + "?digest=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 201)),
    row("the same blob again", begin(), close(send=BLOB), begin(), close(send=BLOB), stored()),
    row("two sessions with the same blob", begin(), stream(BLOB), begin(), close(send=BLOB),
        close(target="{first}"), stored()),
    row("the same bytes under two algorithms", begin(), close(send=BLOB), begin(),
        close(DIGESTS["blob512"], send=BLOB), stored(), stored(named=DIGESTS["blob512"])),
    row("a blob's repository is there after the push", begin(), close(send=BLOB),
        Ask("GET", "/v2/{r}/tags/list", 200, body=lambda world, answer: answer["tags"] == [])),
    row("an upload that never ends makes no repository", begin(), stream(BLOB),
        Ask("GET", "/v2/{r}/tags/list", 404, "NAME_UNKNOWN")),
    row("a push is announced with 100-continue", begin(), close(send=BLOB, fields={"Expect": "100-continue"}), stored()),
    row("an unknown expectation is refused", Ask(
        "POST", START, 400, "UNSUPPORTED", fields={"Expect": "200-ok"})),
    row("a digest of two is refused", begin(), stream(BLOB),
        Ask("PUT", "{location}?digest={absent}&digest={blob}", 400, "DIGEST_INVALID")),

    row("a mount from where the blob is", Ask(
        "POST", "/v2/{other}/blobs/uploads/?mount={blob}&from={r}", 201, has={
            "Location": "/v2/{other}/blobs/{blob}", "Docker-Content-Digest": "{blob}"}),
        Ask("GET", "/v2/{other}/blobs/{blob}", 200, body=BLOB), given="blob"),
    row("a mount, escaped as Go's clients do", Ask(
        "POST", "/v2/{other}/blobs/uploads/?from={r}&mount=sha256%3A" + DIGESTS["blob"][7:], 201), given="blob"),
    row("a mount in the same repository",
        Ask("POST", START + "?mount={blob}&from={r}", 201, has={"Location": PULLED}), given="blob"),
    row("a mount of what is not there", Ask("POST", START + "?mount={absent}&from={other}", 202, has=at(0)),
        stream(ABSENT), close(digest(ABSENT)), stored(ABSENT, digest(ABSENT))),
    row("a mount of what that repository does not have",
        Ask("POST", "/v2/{other}/blobs/uploads/?mount={absent}&from={r}", 202), given="blob"),
    row("a mount of a malformed digest", Ask("POST", START + "?mount=sha256:x&from={other}", 202, has=at(0))),
    row("a mount from a malformed name", Ask("POST", START + "?mount={blob}&from=UPPER", 202, has=at(0))),
    row("a mount from where the caller may not pull", Ask(
        "POST", "/v2/c/narrow/blobs/uploads/?mount={absent512}&from={other}", 202, user="narrow")),
    row("a mount without a source", Ask(
        "POST", "/v2/{other}/blobs/uploads/?mount={blob}", 201, has={"Location": "/v2/{other}/blobs/{blob}"}),
        given="blob"),
    row("a mount without a source of what is nowhere", Ask("POST", START + "?mount=sha256:" + "0" * 64, 202)),
    row("a mounted blob is deleted where it was", Ask("POST", "/v2/{other}/blobs/uploads/?mount={empty}&from={r}", 201),
        Ask("DELETE", "/v2/{r}/blobs/{empty}", 202), Ask("GET", "/v2/{other}/blobs/{empty}", 200, body=EMPTY),
        given="empty"),
    row("a mounted blob carries a manifest", Ask("POST", "/v2/{other}/blobs/uploads/?mount={blob}&from={r}", 201),
        Ask("POST", "/v2/{other}/blobs/uploads/?mount={config}&from={r}", 201),
        Ask("GET", "/v2/{other}/blobs/{config}", 200), given="blob config"),
]
