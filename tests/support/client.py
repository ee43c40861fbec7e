"""A registry client for tests: HTTPS with a client certificate and a password."""

import base64
import hashlib
import http.client
import json
import ssl
import threading

from processes import wait_for

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    def code(self):
        """The first error code of the registry's error form, or ''."""
        try:
            return self.json()["errors"][0]["code"]
        except (ValueError, KeyError, IndexError, TypeError):
            return ""

    def message(self):
        return self.json()["errors"][0]["message"]

    def __repr__(self):
        return f"<{self.status} {dict(self.headers)} {self.body[:300]!r}>"


class RegistryClient:
    """Talks to one registry. Each call opens its own connection, as real clients mostly do."""

    def __init__(self, host, port, certificates, user=None, password=None, timeout=60, source=None):
        self.host, self.port, self.timeout = host, port, timeout
        self.source = (source, 0) if source else None  # a local address to connect from
        self.certificates = certificates  # ca.crt, client.cert, client.key
        self.user, self.password = user, password

    def context(self, with_certificate=True):
        context = ssl.create_default_context(cafile=str(self.certificates / "ca.crt"))
        if with_certificate:
            context.load_cert_chain(
                str(self.certificates / "client.cert"), str(self.certificates / "client.key"))
        return context

    def connection(self, with_certificate=True):
        return http.client.HTTPSConnection(
            self.host, self.port, timeout=self.timeout, context=self.context(with_certificate),
            source_address=self.source)

    def connect(self, with_certificate=True):
        connection = self.connection(with_certificate)
        connection.connect()
        return connection

    def headers(self, more=None):
        headers = dict(more or {})
        if self.user is not None:
            pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        return headers

    def call(self, method, path, body=None, headers=None):
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers=self.headers(headers))
            response = connection.getresponse()
            return Answer(response, response.read())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.call("GET", path, headers=headers)

    def start_upload(self, repository):
        answer = self.call("POST", f"/v2/{repository}/blobs/uploads/", body=b"")
        assert answer.status == 202, answer
        return answer.headers["Location"]

    def finish_upload(self, location, digest, body=b""):
        joint = "&" if "?" in location else "?"
        return self.call("PUT", f"{location}{joint}digest={digest}", body=body,
                         headers={"Content-Type": "application/octet-stream"})

    def push_blob(self, repository, data):
        digest = digest_of(data)
        answer = self.finish_upload(self.start_upload(repository), digest, data)
        assert answer.status == 201, answer
        return digest

    def put_manifest(self, repository, reference, manifest):
        return self.call("PUT", f"/v2/{repository}/manifests/{reference}", body=manifest,
                         headers={"Content-Type": MANIFEST})

    def push_image(self, repository, tag, *layers):
        """Pushes layers, a config and a manifest; returns the manifest's digest."""
        config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {
            "type": "layers", "diff_ids": [digest_of(layer) for layer in layers]}}).encode()
        self.push_blob(repository, config)
        for layer in layers:
            self.push_blob(repository, layer)
        manifest = make_manifest(config, layers)
        answer = self.put_manifest(repository, tag, manifest)
        assert answer.status == 201, answer
        return digest_of(manifest)


def make_manifest(config, layers):
    def descriptor(kind, data):
        return {"mediaType": kind, "digest": digest_of(data), "size": len(data)}

    return json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, config),
        "layers": [descriptor(LAYER, layer) for layer in layers]}).encode()


class Requests(threading.Thread):
    """Requests on connections of their own and on one that stays, until the end of the block."""

    def __init__(self, client):
        super().__init__()
        self.client, self.count, self.failures = client, 0, []
        self.ended = threading.Event()

    def __enter__(self):
        self.start()
        wait_for("requests to flow", lambda: self.count > 2)
        return self

    def __exit__(self, *raised):
        self.ended.set()
        self.join()

    def run(self):
        stays = self.client.connect()
        while not self.ended.is_set():
            try:
                stays.request("GET", "/v2/", headers=self.client.headers())
                kept = stays.getresponse()
                kept.read()
                statuses = (kept.status, self.client.get("/v2/").status)
                if statuses != (200, 200):
                    self.failures.append(statuses)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                return
            self.count += 1
