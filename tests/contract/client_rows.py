"""Rows of the contract: the request sequences of real clients."""

import re

from exchange import (BLOB, CONFIG, DIGESTS, DOCKER_LIST, DOCKER_MANIFEST, EMPTY, IMAGE, INDEX, OCI_EMPTY,
                      OCI_INDEX, OCI_MANIFEST, OCTETS, SIGNATURE, Ask, descriptor, digest, dump, manifest, row)
from discovery_rows import SIGNED, referrers
from push_rows import get, put

ACCEPT = {"Accept": ", ".join([OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST])}
HEX = DIGESTS["image"][7:]
HELM_CONFIG = dump({"name": "chart", "version": "0.1.0", "apiVersion": "v2"})
HELM_CONFIG_TYPE = "application/vnd.cncf.helm.config.v1+json"
HELM_LAYER_TYPE = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
CHART = manifest(None, descriptor(HELM_CONFIG_TYPE, HELM_CONFIG), [descriptor(HELM_LAYER_TYPE, BLOB)])
PAYLOAD = dump({"critical": {"identity": {}, "image": {}, "type": "cosign container image signature"}})
COSIGN_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
COSIGN = manifest(layers=[descriptor(COSIGN_TYPE, PAYLOAD, annotations={"dev.cosignproject.cosign/signature": "MEUC"})])
FALLBACK = dump({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
    descriptor(OCI_MANIFEST, SIGNATURE, artifactType="application/vnd.example.signature")]})
GGCR = {"User-Agent": "go-containerregistry/v0.20.2"}


def head_blob(name, status):
    return Ask("HEAD", f"/v2/{{r}}/blobs/{name}", status)


def oras_blob(data):
    """HEAD, POST, PUT of everything with the escaped digest behind the location."""
    name = digest(data)
    return (head_blob(name, 404), Ask("POST", "/v2/{r}/blobs/uploads/", 202, fields={"Content-Length": "0"}),
            Ask("PUT", "{location}?digest=sha256%3A" + name[7:], 201, send=data, fields={"Content-Type": OCTETS}))


def crane_blob(data):
    """HEAD, POST with an impossible mount, a streamed PATCH, an empty PUT."""
    name = digest(data)
    return (head_blob(name, 404), Ask("POST", "/v2/{r}/blobs/uploads/?from=library%2Fbusybox&mount=sha256%3A" + name[7:]
                                      + "&origin=index.docker.io", 202, fields={**GGCR, "Content-Type": "application/json"}),
            Ask("PATCH", "{location}", 202, send=data, chunked=True, fields=GGCR),
            Ask("PUT", "{location}?digest=sha256%3A" + name[7:], 201, fields=GGCR))


def skopeo_blob(data):
    """As crane, in one PATCH with a length and no range."""
    name = digest(data)
    return (head_blob(name, 404), Ask("POST", "/v2/{r}/blobs/uploads/", 202),
            Ask("PATCH", "{location}", 202, send=data, fields={"Content-Type": OCTETS}),
            Ask("PUT", "{location}?digest=sha256%3A" + name[7:], 201, fields={"Content-Type": OCTETS}))


ROWS = [
    row("oras pushes and pulls an artifact", *oras_blob(EMPTY), *oras_blob(BLOB),
        Ask("HEAD", "/v2/{r}/manifests/" + digest(manifest(config=descriptor(OCI_EMPTY, EMPTY))), 404, fields=ACCEPT),
        put(manifest(config=descriptor(OCI_EMPTY, EMPTY)), "v1"),
        Ask("HEAD", "/v2/{r}/manifests/v1", 200, fields=ACCEPT, has={"Content-Type": OCI_MANIFEST}),
        Ask("GET", "/v2/{r}/manifests/v1", 200, fields=ACCEPT),
        Ask("GET", "/v2/{r}/blobs/{blob}", 200, body=BLOB)),
    row("oras attaches and discovers", *oras_blob(EMPTY), put(SIGNATURE, DIGESTS["signature"], has={
        "OCI-Subject": "{image}"}), referrers([SIGNED], "?artifactType=application%2Fvnd.example.signature",
                                              has={"OCI-Filters-Applied": "artifactType"}), given="image"),
    row("oras deletes by digest", Ask("HEAD", "/v2/{r}/manifests/image", 200, fields=ACCEPT),
        Ask("DELETE", "/v2/{r}/manifests/{image}", 202, fields=ACCEPT),
        Ask("HEAD", "/v2/{r}/manifests/image", 404, fields=ACCEPT), given="image"),
    row("oras lists with last and n", Ask("GET", "/v2/{r}/tags/list?last=&n=100", 200,
                                           body=lambda w, a: a["tags"] == ["image"]), given="image"),
    row("crane pushes", Ask("GET", "/v2/", 200, fields=GGCR), *crane_blob(CONFIG), *crane_blob(BLOB),
        put(IMAGE, "latest"), get(IMAGE, "latest")),
    row("crane copies with a mount", Ask("POST", "/v2/{other}/blobs/uploads/?from={r}&mount={blob}", 201, fields=GGCR),
        Ask("HEAD", "/v2/{other}/blobs/{blob}", 200, fields=GGCR), given="blob"),
    row("crane asks for a digest", Ask("HEAD", "/v2/{r}/manifests/image", 200, fields={**GGCR, **ACCEPT}, has={
        "Docker-Content-Digest": "{image}", "Content-Length": str(len(IMAGE)), "Content-Type": OCI_MANIFEST}),
        given="image"),
    row("crane validates every platform", Ask("GET", "/v2/{r}/manifests/index", 200, fields=ACCEPT, body=INDEX),
        get(IMAGE, DIGESTS["image"]), Ask("GET", "/v2/{r}/blobs/{config}", 200, body=CONFIG), given="index"),
    row("crane lists the catalog", Ask("GET", "/v2/_catalog?n=100&last=", 200, fields=GGCR), given="image"),
    row("helm pushes and pulls a chart", *oras_blob(BLOB), *oras_blob(HELM_CONFIG), put(CHART, "0.1.0"),
        Ask("HEAD", "/v2/{r}/manifests/0.1.0", 200, fields=ACCEPT), get(CHART, "0.1.0"),
        Ask("GET", f"/v2/{{r}}/blobs/{digest(HELM_CONFIG)}", 200, body=HELM_CONFIG)),
    row("helm tags a version with a plus as an underscore", put(IMAGE, "1.0.0_build.5"), get(IMAGE, "1.0.0_build.5"),
        given="blob config"),
    row("cosign signs by a tag", Ask("GET", f"/v2/{{r}}/manifests/sha256-{HEX}.sig", 404, "MANIFEST_UNKNOWN"),
        *crane_blob(PAYLOAD), put(COSIGN, f"sha256-{HEX}.sig"), get(COSIGN, f"sha256-{HEX}.sig"), given="image"),
    row("cosign signs by a referrer", put(SIGNATURE, DIGESTS["signature"]), referrers([SIGNED]), given="image empty"),
    row("cosign cleans up", put(COSIGN, f"sha256-{HEX}.sig", 400, "MANIFEST_BLOB_UNKNOWN"), *crane_blob(PAYLOAD),
        put(COSIGN, f"sha256-{HEX}.sig"), Ask("DELETE", f"/v2/{{r}}/manifests/sha256-{HEX}.sig", 202),
        Ask("GET", f"/v2/{{r}}/manifests/sha256-{HEX}.sig", 404, "MANIFEST_UNKNOWN"), given="image"),
    row("a client that knows no referrers API keeps them by a tag", put(SIGNATURE, DIGESTS["signature"]),
        Ask("GET", f"/v2/{{r}}/manifests/sha256-{HEX}", 404, "MANIFEST_UNKNOWN"),
        put(FALLBACK, f"sha256-{HEX}", media_type=OCI_INDEX), get(FALLBACK, f"sha256-{HEX}", OCI_INDEX),
        given="image empty"),
    row("skopeo pushes", Ask("GET", "/v2/", 401, "UNAUTHORIZED", user=None), Ask("GET", "/v2/", 200),
        *skopeo_blob(BLOB), *skopeo_blob(CONFIG), put(IMAGE, "1"), get(IMAGE)),
    row("skopeo deletes by the tag's digest", Ask("GET", "/v2/{r}/manifests/image", 200, fields=ACCEPT, has={
        "Docker-Content-Digest": "{image}"}), Ask("DELETE", "/v2/{r}/manifests/{image}", 202), given="image"),
    row("docker pushes what is there already", head_blob("{blob}", 200), head_blob("{config}", 200),
        put(IMAGE, "again"), given="image"),
    row("containerd pulls through a mirror", Ask("HEAD", "/v2/{r}/manifests/image?ns=docker.io", 200, fields=ACCEPT),
        Ask("GET", "/v2/{r}/manifests/{image}?ns=docker.io", 200, body=IMAGE),
        Ask("GET", "/v2/{r}/blobs/{blob}?ns=docker.io", 200, body=BLOB), given="image"),
    row("containerd continues a truncated pull", Ask("GET", "/v2/{r}/blobs/{blob}", 206, body=BLOB[700:], fields={
        "Range": "bytes=700-"}, has={"Content-Range": re.compile(r"bytes 700-2047/2048")}), given="blob"),
]
