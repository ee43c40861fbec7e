"""Rows of the contract: HEAD by callers who may push, who get the same answers as others."""

from exchange import BLOB, DIGESTS, IMAGE, OCI_MANIFEST, OCTETS, Ask, row
from push_rows import put

USERS = ("writer", "reader")


def head(target, status=200, user="writer", **more):
    return Ask("HEAD", f"/v2/{{r}}/{target}", status, user=user, **more)


def blob(name="blob", status=200, user="writer"):
    has = {"Docker-Content-Digest": DIGESTS[name], "Content-Length": str(len(BLOB))} if status == 200 else {}
    return head(f"blobs/{{{name}}}", status, user, has=has)


def image(reference, user="writer"):
    return head(f"manifests/{reference}", 200, user, has={
        "Docker-Content-Digest": DIGESTS["image"], "Content-Type": OCI_MANIFEST, "Content-Length": str(len(IMAGE))})


ROWS = [
    row("a pusher and a puller ask for a blob, twice", *(blob(user=user) for user in USERS * 2), given="blob"),
    row("a pusher and a puller ask for a manifest, by tag and by digest",
        *(image(reference, user) for user in USERS for reference in ("image", "{image}", "image", "{image}")),
        given="image"),
    row("a pusher asks for a blob that is not there", blob("absent", 404), blob("absent", 404, "reader"), given="blob"),
    row("a pusher asks for a manifest that is not there", head("manifests/2", 404), head("manifests/{second}", 404),
        given="image"),
    row("a pusher asks where nothing is", blob(status=404), head("manifests/1", 404)),
    row("a pusher asks for a blob of another repository", Ask("HEAD", "/v2/{other}/blobs/{blob}", 404, user="writer"),
        given="blob"),
    row("a pusher asks with a condition", head("blobs/{blob}", 304, fields={"If-None-Match": '"{blob}"'}),
        head("manifests/image", 304, fields={"If-None-Match": '"{image}"'}), given="image"),
    row("a pusher leaves out what is there", blob(), head("blobs/{config}"), put(IMAGE, user="writer"), image("1"),
        given="blob config"),
    row("a blob goes between two questions of a pusher", blob(), Ask("DELETE", "/v2/{r}/blobs/{blob}", 202),
        blob(status=404), Ask("POST", "/v2/{r}/blobs/uploads/?digest={blob}", 201, send=BLOB,
                              fields={"Content-Type": OCTETS}, user="writer"), blob(), given="blob"),
    row("a manifest goes between two questions of a pusher", image("image"),
        Ask("DELETE", "/v2/{r}/manifests/{image}", 202), head("manifests/image", 404), head("manifests/{image}", 404),
        put(IMAGE, "image", user="writer"), image("image"), image("{image}"), given="image"),
]
