"""Rows of the contract: access, paths, and the methods of each path."""

import re

from exchange import IMAGE, JSON, OCI_MANIFEST, Ask, row

CHALLENGE = {"WWW-Authenticate": re.compile('Basic realm=".+"')}
ANY_DIGEST = "sha256:" + "0" * 64
LONG = "c/" + "a" * 253  # 255 characters
TYPE = {"Content-Type": OCI_MANIFEST}


def protected(method, target):
    return row(f"{method} {target} without a password is challenged",
               Ask(method, target, 401, "UNAUTHORIZED", user=None, has=CHALLENGE))


def denied(what, user, method, target, **more):
    return row(what, Ask(method, target, 403, "DENIED", user=user, says=user, **more), given="image")


def not_found(target):
    return row(f"{target} is no path of the API", Ask("GET", target, 404, "UNSUPPORTED"))


def bad_name(name, target=None):
    return row(f"the name {name[:40]!r} is refused",
               Ask("GET", target or f"/v2/{name}/tags/list", 400, "NAME_INVALID"))


def not_taken(method, target, allow):
    return row(f"{target} does not take {method}",
               Ask(method, target, 405, "UNSUPPORTED", has={"Allow": allow}))


def lives_at(name):
    """A repository of this name is like any other."""
    tags = f"/v2/{name}/tags/list"
    return row(f"a repository may be called {name!r}",
               Ask("GET", tags, 404, "NAME_UNKNOWN"),
               Ask("HEAD", f"/v2/{name}/manifests/latest", 404),
               Ask("GET", f"/v2/{name}/blobs/{ANY_DIGEST}", 404, "NAME_UNKNOWN"))


ROWS = [
    row("the ping answers a known user",
        Ask("GET", "/v2/", 200, body=b"{}", has={"Content-Type": JSON})),
    row("the ping answers HEAD", Ask("HEAD", "/v2/", 200, has={"Content-Length": "2"})),
    row("the ping needs no slash", Ask("GET", "/v2", 200, body=b"{}")),
    row("a query changes nothing of the ping", Ask("GET", "/v2/?service=x&scope=y", 200, body=b"{}")),
    row("a wrong password is refused", Ask("GET", "/v2/", 401, "UNAUTHORIZED", user="wrong", has=CHALLENGE)),
    row("an unknown user is refused", Ask("GET", "/v2/", 401, "UNAUTHORIZED", user="nobody", has=CHALLENGE)),
    row("a bearer token is refused", Ask("GET", "/v2/", 401, "UNAUTHORIZED", user=None,
                                         fields={"Authorization": "Bearer abc"}, has=CHALLENGE)),
    row("credentials that are no base64 are refused", Ask(
        "GET", "/v2/", 401, "UNAUTHORIZED", user=None, fields={"Authorization": "Basic !!!"})),
    row("credentials without a colon are refused", Ask(
        "GET", "/v2/", 401, "UNAUTHORIZED", user=None, fields={"Authorization": "Basic YWJj"})),
    row("empty credentials are refused", Ask(
        "GET", "/v2/", 401, "UNAUTHORIZED", user=None, fields={"Authorization": "Basic"})),
    protected("GET", "/v2/"), protected("HEAD", "/v2/"), protected("GET", "/v2/_catalog"),
    protected("GET", "/v2/{r}/tags/list"), protected("GET", "/v2/{r}/manifests/1"),
    protected("HEAD", "/v2/{r}/manifests/1"), protected("PUT", "/v2/{r}/manifests/1"),
    protected("DELETE", "/v2/{r}/manifests/1"), protected("GET", "/v2/{r}/blobs/{blob}"),
    protected("HEAD", "/v2/{r}/blobs/{blob}"), protected("DELETE", "/v2/{r}/blobs/{blob}"),
    protected("POST", "/v2/{r}/blobs/uploads/"), protected("PATCH", "/v2/{r}/blobs/uploads/x"),
    protected("PUT", "/v2/{r}/blobs/uploads/x?digest={blob}"), protected("GET", "/v2/{r}/blobs/uploads/x"),
    protected("GET", "/v2/{r}/referrers/{image}"), protected("GET", "/v2/NO/tags/list"),

    denied("a user who may not pull gets no manifest", "stranger", "GET", "/v2/{r}/manifests/image"),
    denied("a user who may not pull gets no blob", "stranger", "GET", "/v2/{r}/blobs/{blob}"),
    denied("a user who may not pull gets no tags", "stranger", "GET", "/v2/{r}/tags/list"),
    denied("a user who may not pull gets no referrers", "stranger", "GET", "/v2/{r}/referrers/{image}"),
    denied("a user who may not push starts no upload", "reader", "POST", "/v2/{r}/blobs/uploads/"),
    denied("a user who may not push puts no manifest", "reader", "PUT", "/v2/{r}/manifests/2", send=IMAGE,
           fields=TYPE),
    denied("a user who may not delete deletes no tag", "writer", "DELETE", "/v2/{r}/manifests/image"),
    denied("a user who may not delete deletes no manifest", "writer", "DELETE", "/v2/{r}/manifests/{image}"),
    denied("a user who may not delete deletes no blob", "writer", "DELETE", "/v2/{r}/blobs/{blob}"),
    row("a user who may only pull pulls", Ask("GET", "/v2/{r}/manifests/image", 200, user="reader", body=IMAGE),
        given="image"),
    row("an upload session is its user's alone",
        Ask("POST", "/v2/{r}/blobs/uploads/", 202),
        Ask("GET", "{location}", 404, "BLOB_UPLOAD_UNKNOWN", user="writer")),

    not_found("/"), not_found("/v1/"), not_found("/v3/"), not_found("/v2x"), not_found("/v2/{r}"),
    not_found("/v2/{r}/"), not_found("/v2/{r}/tags"), not_found("/v2/{r}/tags/list/x"),
    not_found("/v2/{r}/manifests"), not_found("/v2/{r}/manifests/"), not_found("/v2/{r}/blobs/"),
    not_found("/v2/{r}/referrers/"), not_found("/v2/_catalog/x"), not_found("/v2/tags/list"),
    not_found("/v2/manifests/latest"), not_found("/healthz"), not_found("/metrics"),

    bad_name("UPPER"), bad_name("a..b"), bad_name("-a"), bad_name("a-"), bad_name("a___b"), bad_name("a//b"),
    bad_name("a/"), bad_name("_a/b"), bad_name("a/_b"), bad_name("a.b."), bad_name("%C3%A9"),
    bad_name("a%20b"), bad_name("a:b"), bad_name(LONG + "a"),
    row("a name of 255 characters is one", Ask("GET", f"/v2/{LONG}/tags/list", 404, "NAME_UNKNOWN")),
    row("the refusal names the name", Ask("GET", "/v2/Team/tags/list", 400, "NAME_INVALID", says="Team")),
    row("an escaped slash is refused", Ask("GET", "/v2/a%2Fb/tags/list", 400, "UNSUPPORTED")),
    row("a dot segment is refused", Ask("GET", "/v2/a/../b/tags/list", 400, "UNSUPPORTED")),
    row("an escaped dot segment is refused", Ask("GET", "/v2/a/%2e%2e/b/tags/list", 400, "UNSUPPORTED")),
    row("an escaped NUL is refused", Ask("GET", "/v2/a%00b/tags/list", 400, "UNSUPPORTED")),
    row("a broken escape is refused", Ask("GET", "/v2/a%zz/tags/list", 400, "UNSUPPORTED")),
    lives_at("c/blobs/manifests"), lives_at("c/tags/list"), lives_at("c/blobs/uploads"),
    lives_at("c/referrers/blobs"), lives_at("v2/v2"),
    row("an unknown parameter is tolerated",
        Ask("GET", "/v2/{r}/manifests/image?ns=docker.io&x=1", 200, body=IMAGE), given="image"),

    not_taken("POST", "/v2/", "GET, HEAD"), not_taken("DELETE", "/v2/", "GET, HEAD"),
    not_taken("POST", "/v2/_catalog", "GET, HEAD"), not_taken("PUT", "/v2/{r}/tags/list", "GET, HEAD"),
    not_taken("DELETE", "/v2/{r}/tags/list", "GET, HEAD"),
    not_taken("POST", "/v2/{r}/manifests/1", "GET, HEAD, PUT, DELETE"),
    not_taken("PATCH", "/v2/{r}/manifests/1", "GET, HEAD, PUT, DELETE"),
    not_taken("PUT", "/v2/{r}/blobs/{blob}", "GET, HEAD, DELETE"),
    not_taken("POST", "/v2/{r}/blobs/{blob}", "GET, HEAD, DELETE"),
    not_taken("GET", "/v2/{r}/blobs/uploads/", "POST"), not_taken("PUT", "/v2/{r}/blobs/uploads/", "POST"),
    not_taken("POST", "/v2/{r}/blobs/uploads/x", "GET, HEAD, PATCH, PUT, DELETE"),
    not_taken("POST", "/v2/{r}/referrers/{image}", "GET, HEAD"),
    not_taken("DELETE", "/v2/{r}/referrers/{image}", "GET, HEAD"),
    not_taken("OPTIONS", "/v2/", "GET, HEAD"), not_taken("BREW", "/v2/", "GET, HEAD"),
]
