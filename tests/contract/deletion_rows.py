"""Rows of the contract: deleting."""

import re

from exchange import BLOB, DIGESTS, IMAGE, INDEX, SECOND, Ask, row
from push_rows import get, put

SEQUENCE = {"Outport-Sequence": re.compile(r"[1-9]\d*"), "Content-Length": "0"}


def delete(target, status=202, code="", **more):
    return Ask("DELETE", f"/v2/{{r}}/{target}", status, code, **more)


def absent(target, code="MANIFEST_UNKNOWN"):
    return (Ask("GET", f"/v2/{{r}}/{target}", 404, code), Ask("HEAD", f"/v2/{{r}}/{target}", 404))


ROWS = [
    row("a tag goes, its manifest stays", delete("manifests/image", has=SEQUENCE), *absent("manifests/image"),
        get(IMAGE, DIGESTS["image"]), Ask("GET", "/v2/{r}/tags/list", 200, body=lambda w, a: a["tags"] == []),
        given="image"),
    row("one tag of two goes", put(IMAGE, "2"), delete("manifests/image"), *absent("manifests/image"),
        get(IMAGE, "2"), given="image"),
    row("a manifest goes with its tags", put(IMAGE, "2"), delete("manifests/{image}", has=SEQUENCE),
        *absent("manifests/{image}"), *absent("manifests/image"), *absent("manifests/2"),
        Ask("GET", "/v2/{r}/tags/list", 200, body=lambda w, a: a["tags"] == []), given="image"),
    row("a manifest goes, another stays", put(SECOND, "2"), delete("manifests/{image}"), *absent("manifests/image"),
        get(SECOND, "2"), given="image"),
    row("a tag that moved away stays", put(SECOND, "image"), delete("manifests/{image}"), get(SECOND, "image"),
        given="image"),
    row("a manifest goes, its blobs stay", delete("manifests/{image}"),
        Ask("GET", "/v2/{r}/blobs/{blob}", 200, body=BLOB), given="image"),
    row("a deleted tag again", delete("manifests/image"), delete("manifests/image", 404, "MANIFEST_UNKNOWN"),
        given="image"),
    row("a deleted manifest again", delete("manifests/{image}"),
        delete("manifests/{image}", 404, "MANIFEST_UNKNOWN", says="{image}"), given="image"),
    row("deleting a tag that is not there", delete("manifests/2", 404, "MANIFEST_UNKNOWN", says="2"), given="image"),
    row("deleting a manifest that is not there", delete("manifests/{second}", 404, "MANIFEST_UNKNOWN"), given="image"),
    row("deleting where nothing is", delete("manifests/1", 404, "NAME_UNKNOWN"),
        delete("manifests/{image}", 404, "NAME_UNKNOWN"), delete("blobs/{blob}", 404, "NAME_UNKNOWN")),
    row("deleting a malformed digest", delete("manifests/sha256:x", 400, "DIGEST_INVALID"),
        delete("blobs/sha256:x", 400, "DIGEST_INVALID"), given="image"),
    row("deleting what no tag can be", delete("manifests/.x", 404, "MANIFEST_UNKNOWN"), given="image"),
    row("an index goes, its children stay", delete("manifests/{index}"), *absent("manifests/index"),
        get(IMAGE, DIGESTS["image"]), given="index"),
    row("a pushed manifest comes back", delete("manifests/{image}"), put(IMAGE, "3"), get(IMAGE, "3"),
        get(IMAGE, DIGESTS["image"]), *absent("manifests/image"), given="image"),
    row("a deleted tag comes back", delete("manifests/image"), put(IMAGE, "image"), get(IMAGE, "image"),
        given="image"),
    row("a sha512 manifest goes", put(IMAGE, DIGESTS["image512"] + "?tag=five"), delete("manifests/{image512}"),
        *absent("manifests/{image512}"), *absent("manifests/five"), get(IMAGE, DIGESTS["image"]), given="image"),
    row("a blob goes", delete("blobs/{blob}", has=SEQUENCE), *absent("blobs/{blob}", "BLOB_UNKNOWN"), given="blob"),
    row("a deleted blob again", delete("blobs/{blob}"), delete("blobs/{blob}", 404, "BLOB_UNKNOWN"), given="blob"),
    row("deleting a blob that is not there", delete("blobs/{absent}", 404, "BLOB_UNKNOWN", says="{absent}"), given="blob"),
    row("a blob in use stays", delete("blobs/{blob}", 405, "UNSUPPORTED", says="{image}"),
        delete("blobs/{config}", 405, "UNSUPPORTED"), Ask("GET", "/v2/{r}/blobs/{blob}", 200, body=BLOB),
        get(IMAGE, "image"), given="image"),
    row("a blob goes after its manifest", delete("manifests/{image}"), delete("blobs/{blob}"),
        delete("blobs/{config}"), *absent("blobs/{blob}", "BLOB_UNKNOWN"), given="image"),
    row("a blob stays while one of two manifests needs it", put(SECOND, "2"), delete("manifests/{image}"),
        delete("blobs/{blob}", 405, "UNSUPPORTED"), delete("manifests/{second}"), delete("blobs/{blob}"),
        given="image"),
    row("a deleted blob comes back", delete("blobs/{blob}"),
        Ask("POST", "/v2/{r}/blobs/uploads/?digest={blob}", 201, send=BLOB),
        Ask("GET", "/v2/{r}/blobs/{blob}", 200, body=BLOB), given="blob"),
    row("a protected tag does not move", put(IMAGE, "frozen"), put(SECOND, "frozen", 403, "DENIED", says="'frozen'"),
        get(IMAGE, "frozen"), given="image"),
    row("a protected tag is not deleted", put(IMAGE, "frozen"), delete("manifests/frozen", 403, "DENIED", says="'frozen'"),
        get(IMAGE, "frozen"), given="image"),
    row("a manifest with a protected tag is not deleted", put(IMAGE, "frozen"), put(IMAGE, "2"),
        delete("manifests/{image}", 403, "DENIED", says="'frozen'"), get(IMAGE, "frozen"), get(IMAGE, "2"), given="image"),
    row("a protected tag is pushed again", put(IMAGE, "frozen"), put(IMAGE, "frozen"), given="image"),
    row("a manifest that needs a deleted blob is refused", delete("blobs/{blob}"),
        put(IMAGE, status=400, code="MANIFEST_BLOB_UNKNOWN"), given="blob config"),
    row("an index that needs a deleted manifest is refused", delete("manifests/{image}"),
        put(INDEX, "2", 400, "MANIFEST_BLOB_UNKNOWN", "application/vnd.oci.image.index.v1+json"), given="index"),
]
