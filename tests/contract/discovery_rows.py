"""Rows of the contract: lists of tags, repositories and referrers."""

import re

from exchange import (BILL, DIGESTS, EMPTY, IMAGE, INDEX, JSON, OCI_EMPTY, OCI_INDEX, OCI_MANIFEST, SECOND, SIGNATURE,
                      Ask, artifact, descriptor, digest, index, manifest, row)
from push_rows import put

TAGS = "/v2/{r}/tags/list"
REFERRERS = "/v2/{r}/referrers/{image}"
NEVER_PUSHED = "sha256:" + "0" * 64
NAMES = ("1", "1.0", "A", "a", "b", "latest")  # in byte order
MANY = tuple(put(IMAGE, name) for name in reversed(NAMES))


def tags(query, expected, more=None, status=200):
    """A page of tags: its content, and the link to the next page."""
    link = None if more is None else re.compile(
        r"</v2/c/[^?]+/tags/list\?" + more + r'>; rel="next"')
    return Ask("GET", TAGS + query, status, has={"Link": link, "Content-Type": JSON}, body=lambda world, answer:
               answer == {"name": world.names["r"], "tags": list(expected)})


def bad_page(query):
    return row(f"tags{query} is refused", *MANY, Ask("GET", TAGS + query, 400, "PAGINATION_NUMBER_INVALID", says="n"),
               given="blob config")


def referrers(expected, query="", target=REFERRERS, **more):
    """The list of referrers: an index of exactly these descriptors."""
    def holds(world, answer):
        return (answer["schemaVersion"] == 2 and answer["mediaType"] == OCI_INDEX
                and sorted(answer["manifests"], key=lambda d: d["digest"])
                == sorted(expected, key=lambda d: d["digest"]))

    has = {"Content-Type": OCI_INDEX, **more.pop("has", {})}
    return Ask("GET", target + query, 200, body=holds, has=has, **more)


def listed(data, artifact_type, media_type=OCI_MANIFEST, **annotations):
    more = {"artifactType": artifact_type} if artifact_type else {}
    return descriptor(media_type, data, **more, **({"annotations": annotations} if annotations else {}))


SIGNED = listed(SIGNATURE, "application/vnd.example.signature", note="signed")
BILLED = listed(BILL, "application/vnd.example.sbom", format="spdx")
BY_CONFIG = manifest(config=descriptor("application/vnd.example.config", EMPTY), layers=[],
                     subject=descriptor(OCI_MANIFEST, IMAGE))
PLAIN_INDEX = index([], subject=descriptor(OCI_MANIFEST, IMAGE))
TYPED_INDEX = index([], artifactType="application/vnd.example.bundle", subject=descriptor(OCI_MANIFEST, IMAGE))
OF_UNKNOWN = artifact("application/vnd.example.late", SECOND)
FILTERED = {"OCI-Filters-Applied": "artifactType"}

ROWS = [
    row("tags in byte order", *MANY, tags("", NAMES), given="blob config"),
    row("HEAD of the tags", *MANY, Ask("HEAD", TAGS, 200, has={"Content-Type": JSON}), given="blob config"),
    row("the first page", *MANY, tags("?n=2", NAMES[:2], r"(?=.*n=2)(?=.*last=1\.0).*"), given="blob config"),
    row("a page in the middle", *MANY, tags("?n=2&last=1.0", NAMES[2:4], r"(?=.*n=2)(?=.*last=a).*"),
        given="blob config"),
    row("the last page", *MANY, tags("?n=2&last=a", NAMES[4:]), given="blob config"),
    row("a page that just fits", *MANY, tags("?n=6", NAMES), given="blob config"),
    row("a page with room", *MANY, tags("?n=100", NAMES), given="blob config"),
    row("no page at all", *MANY, tags("?n=0", ()), given="blob config"),
    row("behind a tag that is not there", *MANY, tags("?last=B", NAMES[3:]), given="blob config"),
    row("behind the last tag", *MANY, tags("?last=latest", ()), given="blob config"),
    row("behind every tag", *MANY, tags("?last=zzz&n=1", ()), given="blob config"),
    row("last without n", *MANY, tags("?last=1.0", NAMES[2:]), given="blob config"),
    row("last, escaped", *MANY, tags("?last=1%2E0", NAMES[2:]), given="blob config"),
    row("n above every limit", *MANY, tags("?n=99999999999999999999", NAMES), given="blob config"),
    bad_page("?n=-1"), bad_page("?n=x"), bad_page("?n="), bad_page("?n=1.5"), bad_page("?n=0x2"), bad_page("?n=%201"),
    row("tags of what is not there", Ask("GET", TAGS, 404, "NAME_UNKNOWN", says="{r}"), Ask("HEAD", TAGS, 404),
        Ask("GET", TAGS + "?n=0", 404, "NAME_UNKNOWN")),
    row("a repository without tags", tags("", ()), given="blob"),
    row("the next page is where Link says", *MANY, Ask("GET", TAGS + "?n=4", 200),
        tags("?n=4&last=a", NAMES[4:]), given="blob config"),

    row("the catalog names the repository", Ask("GET", "/v2/_catalog?n=1000", 200, has={"Content-Type": JSON},
        body=lambda world, answer: world.names["r"] in answer["repositories"]), given="image"),
    row("the catalog is in byte order", Ask("GET", "/v2/_catalog?n=1000", 200, body=lambda world, answer:
        answer["repositories"] == sorted(answer["repositories"])), given="blob"),
    row("a page of the catalog", Ask("GET", "/v2/_catalog?n=1", 200, body=lambda world, answer:
        len(answer["repositories"]) == 1), given="blob"),
    row("the catalog behind this repository", Ask("GET", "/v2/_catalog?last={r}", 200, body=lambda world, answer:
        all(name > world.names["r"] for name in answer["repositories"])), given="blob"),
    row("no page of the catalog", Ask("GET", "/v2/_catalog?n=0", 200, body=lambda w, a: a == {"repositories": []})),
    row("the catalog's HEAD", Ask("HEAD", "/v2/_catalog", 200, has={"Content-Type": JSON})),
    row("n of the catalog is a number", Ask("GET", "/v2/_catalog?n=x", 400, "PAGINATION_NUMBER_INVALID"),
        Ask("GET", "/v2/_catalog?n=-1", 400, "PAGINATION_NUMBER_INVALID")),
    row("the catalog shows what the caller may pull", Ask("GET", "/v2/_catalog", 200, user="stranger",
        body=lambda world, answer: world.names["r"] not in answer["repositories"]), given="blob"),
    row("the catalog of one who may pull a part", Ask("GET", "/v2/_catalog?n=1000", 200, user="narrow",
        body=lambda world, answer: all(name.startswith("c/") for name in answer["repositories"])), given="blob"),

    row("no referrers", referrers([]), given="image"),
    row("referrers of what is not there", referrers([], target="/v2/{r}/referrers/" + NEVER_PUSHED), given="image"),
    row("referrers in what is not there", referrers([])),
    row("HEAD of referrers", Ask("HEAD", REFERRERS, 200, has={"Content-Type": OCI_INDEX}), given="image"),
    row("referrers of a malformed digest", Ask("GET", "/v2/{r}/referrers/sha256:x", 400, "DIGEST_INVALID"),
        given="image"),
    row("referrers of a tag", Ask("GET", "/v2/{r}/referrers/image", 400, "DIGEST_INVALID"), given="image"),
    row("referrers of a sha512", referrers([], target="/v2/{r}/referrers/{image512}"), given="image"),
    row("a referrer with its type and annotations", put(SIGNATURE, DIGESTS["signature"]), referrers([SIGNED]),
        given="image empty"),
    row("several referrers", put(SIGNATURE, DIGESTS["signature"]), put(BILL, "bill"), referrers([SIGNED, BILLED]),
        given="image empty"),
    row("a referrer again", put(SIGNATURE, "a"), put(SIGNATURE, "b"), referrers([SIGNED]), given="image empty"),
    row("the type of the config stands in", put(BY_CONFIG), referrers([listed(BY_CONFIG, "application/vnd.example.config")]),
        given="image empty"),
    row("an index refers, without a type", put(PLAIN_INDEX, media_type=OCI_INDEX),
        referrers([listed(PLAIN_INDEX, None, OCI_INDEX)]), given="image"),
    row("an index refers, with a type", put(TYPED_INDEX, media_type=OCI_INDEX),
        referrers([listed(TYPED_INDEX, "application/vnd.example.bundle", OCI_INDEX)]), given="image"),
    row("referrers come before their subject", put(OF_UNKNOWN),
        referrers([listed(OF_UNKNOWN, "application/vnd.example.late")], target="/v2/{r}/referrers/{second}"),
        given="blob config empty"),
    row("referrers of one type", put(SIGNATURE, "a"), put(BILL, "b"),
        referrers([BILLED], "?artifactType=application/vnd.example.sbom", has=FILTERED), given="image empty"),
    row("referrers of one type, escaped", put(SIGNATURE, "a"), put(BILL, "b"),
        referrers([BILLED], "?artifactType=application%2Fvnd.example.sbom", has=FILTERED), given="image empty"),
    row("referrers of a type that none has", put(SIGNATURE, "a"),
        referrers([], "?artifactType=application/vnd.example.none", has=FILTERED), given="image empty"),
    row("without a filter none is applied", put(SIGNATURE, "a"),
        referrers([SIGNED], has={"OCI-Filters-Applied": None}), given="image empty"),
    row("a page of referrers", put(SIGNATURE, "a"), put(BILL, "b"), Ask(
        "GET", REFERRERS + "?n=1", 200, body=lambda w, a: len(a["manifests"]) == 1,
        has={"Link": re.compile(r"</v2/c/[^?]+/referrers/sha256:[0-9a-f]+\?.*>; rel=\"next\"")}), given="image empty"),
    row("referrers of another repository are not seen", put(SIGNATURE, "a"),
        referrers([], target="/v2/{other}/referrers/{image}"), given="image empty"),
    row("an image is no referrer of itself", referrers([]), put(INDEX, "i", media_type=OCI_INDEX), referrers([]),
        given="image"),
    row("a referrer that is deleted is not listed", put(SIGNATURE, "a"), put(BILL, "b"), referrers([SIGNED, BILLED]),
        Ask("DELETE", "/v2/{r}/manifests/{signature}", 202), referrers([BILLED]), given="image empty"),
    row("a subject that is deleted keeps its referrers", put(SIGNATURE, "a"),
        Ask("DELETE", "/v2/{r}/manifests/{image}", 202), referrers([SIGNED]), given="image empty"),
]
