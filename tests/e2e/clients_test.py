"""podman, buildah, containerd and skopeo, each pushing and pulling at the store and through nodes."""

import concurrent.futures
import json
import os
import pathlib
import shutil
import tarfile
import tempfile

import pytest

from fleet import PASSWORD
from processes import Daemon, run, wait_for

USER = "keeper"  # may delete


class Clients:
    """Real clients with local stores of their own, logged in at every member."""

    def __init__(self, fleet, folder):
        self.fleet, self.folder = fleet, folder
        self.certificates = folder / "certs.d"
        self.auth = folder / "auth.json"
        self.policy = folder / "policy.json"
        self.policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        at = [member.at() for member in fleet.members()]
        fleet.control("user", "add", USER, "--allow", "pull,push,delete", stdin=PASSWORD + "\n")
        fleet.control("cert", "issue", "clients", *(f"--for={one}" for one in at), "--out", self.certificates)
        for one in at:
            wait_for(f"login at {one}", lambda a=one: run(
                "skopeo", "login", "--authfile", self.auth, "--cert-dir", self.certificates / a, "--username",
                USER, "--password-stdin", a, stdin=PASSWORD, check=False).returncode == 0)

    def options(self, at):
        return ["--cert-dir", self.certificates / at, "--authfile", self.auth]

    def containers(self, program, *words, stdin=None):
        """Runs podman or buildah with an image store of its own."""
        home = self.folder / program
        home.mkdir(exist_ok=True)
        return run(program, "--root", home / "root", "--runroot", home / "run", "--storage-driver", "vfs", *words,
                   stdin=stdin, env={"TMPDIR": str(home), "XDG_RUNTIME_DIR": str(home)})

    def skopeo(self, *words, check=True):
        return run("skopeo", "--policy", self.policy, *words, check=check)

    def digest(self, member, name):
        """The digest that a registry reports for a tag."""
        said = self.skopeo("inspect", *self.options(member.at()), f"docker://{member.at()}/{name}").stdout
        return json.loads(said)["Digest"]


@pytest.fixture(scope="module")
def clients(fleet, tmp_path_factory):
    return Clients(fleet, tmp_path_factory.mktemp("clients"))


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A root file system: Debian's static busybox and a marker file."""
    path = tmp_path_factory.mktemp("archive") / "base.tar"
    with tarfile.open(path, "w") as tar:
        tar.add("/bin/busybox", "bin/busybox")
        data = path.parent / "random"
        data.write_bytes(os.urandom(2_000_000))
        tar.add(data, "random")
    return path


@pytest.fixture(scope="module")
def layout(clients, archive):
    """The same as an OCI layout."""
    clients.containers("buildah", "from", "--name", "layout", "scratch")
    clients.containers("buildah", "add", "layout", archive, "/")
    folder = clients.folder / "layout"
    clients.containers("buildah", "commit", "--signature-policy", clients.policy, "layout", f"oci:{folder}:1")
    clients.containers("buildah", "rm", "layout")
    return folder


def places(fleet):
    """(member to push to, members to pull from)."""
    eu, us = fleet.nodes["eu-west"], fleet.nodes["us-east"]
    return ((fleet.store, eu), (eu, us), (us, fleet.store))


def test_podman_pushes_and_pulls(fleet, clients, archive):
    clients.containers("podman", "import", archive, "localhost/base:1")
    for turn, (here, there) in enumerate(places(fleet)):
        name = f"podman/base{turn}:1"
        clients.containers("podman", "push", *clients.options(here.at()), "localhost/base:1", f"{here.at()}/{name}")
        clients.containers("podman", "pull", "--signature-policy", clients.policy, *clients.options(there.at()),
                           f"{there.at()}/{name}")
        said = clients.containers("podman", "image", "inspect", "localhost/base:1", f"{there.at()}/{name}").stdout
        pushed, pulled = json.loads(said)
        assert pushed["Id"] == pulled["Id"]
        assert f"{there.at()}/{name.split(':')[0]}@{clients.digest(here, name)}" in pulled["RepoDigests"], pulled


def test_buildah_builds_on_what_it_pulls(fleet, clients, layout):
    for turn, (here, there) in enumerate(places(fleet)):
        parent, child = f"buildah/parent{turn}:1", f"buildah/child{turn}:1"
        clients.skopeo("copy", "--authfile", clients.auth, "--dest-cert-dir", clients.certificates / here.at(),
                       f"oci:{layout}:1", f"docker://{here.at()}/{parent}")
        clients.containers("buildah", "from", "--signature-policy", clients.policy, *clients.options(there.at()),
                           "--name", f"child{turn}", f"{there.at()}/{parent}")
        clients.containers("buildah", "config", "--label", f"turn={turn}", f"child{turn}")
        clients.containers("buildah", "commit", "--signature-policy", clients.policy, f"child{turn}", f"child:{turn}")
        clients.containers("buildah", "push", "--signature-policy", clients.policy, *clients.options(here.at()),
                           f"child:{turn}", f"{here.at()}/{child}")
        assert clients.digest(here, child) == clients.digest(there, child)


def test_skopeo_pushes_lists_and_deletes(fleet, clients, layout):
    for turn, (here, there) in enumerate(places(fleet)):
        name = f"skopeo/app{turn}"
        for tag in ("1", "2"):
            clients.skopeo("copy", "--authfile", clients.auth, "--dest-cert-dir", clients.certificates / here.at(),
                           f"oci:{layout}:1", f"docker://{here.at()}/{name}:{tag}")
        tags = clients.skopeo("list-tags", *clients.options(here.at()), f"docker://{here.at()}/{name}").stdout
        assert json.loads(tags)["Tags"] == ["1", "2"]
        assert clients.digest(there, f"{name}:2") == clients.digest(here, f"{name}:1")
        clients.skopeo("delete", *clients.options(here.at()), f"docker://{here.at()}/{name}:1")
        gone = clients.skopeo("inspect", *clients.options(here.at()), f"docker://{here.at()}/{name}:1", check=False)
        assert gone.returncode != 0 and "unknown" in gone.stderr.lower(), gone.stderr
        wait_for("the deletion at the other place", lambda m=there, n=name: m.client(USER).call(
            "HEAD", f"/v2/{n}/manifests/1").status == 404, 5)


def test_clients_push_images_that_share_layers_at_once(fleet, clients, archive, layout):
    clients.containers("podman", "import", archive, "localhost/shared:1")
    members = fleet.members()

    def push(turn):
        at, name = members[turn % len(members)].at(), f"shared/app{turn % 4}:{turn}"
        if turn % 2:
            clients.containers("podman", "push", *clients.options(at), "localhost/shared:1", f"{at}/{name}")
        else:
            clients.skopeo("copy", "--authfile", clients.auth, "--dest-cert-dir", clients.certificates / at,
                           f"oci:{layout}:1", f"docker://{at}/{name}")
        return name

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        names = list(pool.map(push, range(12)))
    for name in names:
        digests = {clients.digest(member, name) for member in members}
        assert len(digests) == 1, (name, digests)
        target = pathlib.Path(tempfile.mkdtemp(dir=clients.folder))
        at = members[-1].at()
        clients.skopeo("copy", "--authfile", clients.auth, "--src-cert-dir", clients.certificates / at,
                       f"docker://{at}/{name}", f"dir:{target}")  # skopeo checks every digest


class Containerd(Daemon):
    """A containerd of the test's own, used through ctr."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="outport-"))  # sockets must have short paths
        self.socket = self.folder / "sock"
        config = self.folder / "config.toml"
        config.write_text('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
        super().__init__("containerd", [
            "/usr/bin/containerd", "--config", config, "--address", self.socket, "--root", self.folder / "root",
            "--state", self.folder / "state"], self.folder / "log")

    def ctr(self, *words, check=True):
        return run("/usr/bin/ctr", "--address", self.socket, "--namespace", "test", *words, check=check)

    def start(self):
        self.spawn()
        wait_for("containerd", lambda: self.ctr("version", check=False).returncode == 0, 30)
        return self

    def end(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def containerd():
    if os.geteuid() != 0:
        pytest.skip("containerd needs root")
    daemon = Containerd()
    try:
        yield daemon.start()
    finally:
        daemon.end()


def hosts(clients, folder, name, member):
    """Makes containerd pull images named `name` from `member`."""
    certificates = clients.certificates / member.at()
    (folder / name).mkdir(parents=True)
    (folder / name / "hosts.toml").write_text(
        f'server = "https://{member.at()}"\n[host."https://{member.at()}"]\n'
        f'  capabilities = ["pull", "resolve", "push"]\n  ca = "{certificates}/ca.crt"\n'
        f'  client = [["{certificates}/client.cert", "{certificates}/client.key"]]\n')


def test_containerd_pulls_through_a_mirror_and_pushes(fleet, clients, containerd, layout, tmp_path):
    store, node = fleet.store, fleet.nodes["eu-west"]
    clients.skopeo("copy", "--authfile", clients.auth, "--dest-cert-dir", clients.certificates / store.at(),
                   f"oci:{layout}:1", f"docker://{store.at()}/library/app:1")
    mirrored = "mirrored.outport.test"
    hosts(clients, tmp_path, mirrored, node)
    fleet.control("cert", "install", clients.certificates, "--engine", "containerd", "--into", tmp_path)
    login = ["--hosts-dir", tmp_path, "--user", f"{USER}:{PASSWORD}"]
    image = f"{mirrored}/library/app:1"
    containerd.ctr("images", "pull", "--snapshotter", "native", *login, image)
    listed = containerd.ctr("images", "list", f"name=={image}").stdout
    assert clients.digest(store, "library/app:1") in listed, listed
    for turn, member in enumerate((store, node)):
        name = f"containerd/app{turn}:1"
        containerd.ctr("images", "tag", image, f"{member.at()}/{name}")
        containerd.ctr("images", "push", *login, f"{member.at()}/{name}")
        assert clients.digest(member, name) == clients.digest(store, "library/app:1")


def test_containerd_reports_unknown_images(fleet, clients, containerd, tmp_path):
    node = fleet.nodes["us-east"]
    hosts(clients, tmp_path, node.at(), node)
    refused = containerd.ctr("images", "pull", "--hosts-dir", tmp_path, "--user", f"{USER}:{PASSWORD}",
                             f"{node.at()}/library/absent:1", check=False)
    assert refused.returncode != 0 and "StatusNotFound" in refused.stderr, refused.stderr


def test_grants_of_anonymous_need_no_login(fleet, clients, containerd, layout, tmp_path):
    """No user name either: only docker needs one, and its own tests cover that."""
    store, node = fleet.store, fleet.nodes["eu-west"]
    clients.skopeo("copy", "--authfile", clients.auth, "--dest-cert-dir", clients.certificates / store.at(),
                   f"oci:{layout}:1", f"docker://{store.at()}/public/app:1")
    digest = clients.digest(store, "public/app:1")
    nobody = ["--cert-dir", clients.certificates / node.at(), "--authfile", tmp_path / "none.json"]
    (tmp_path / "none.json").write_text("{}")
    refused = clients.skopeo("inspect", *nobody, f"docker://{node.at()}/public/app:1", check=False)
    assert refused.returncode != 0 and "no user name and password were sent" in refused.stderr, refused.stderr
    fleet.control("grant", "add", "anonymous", "pull:public/**")
    fleet.settle()
    said = clients.skopeo("inspect", *nobody, f"docker://{node.at()}/public/app:1").stdout
    assert json.loads(said)["Digest"] == digest
    clients.containers("podman", "pull", *nobody, f"{node.at()}/public/app:1")
    hosts(clients, tmp_path, node.at(), node)
    containerd.ctr("images", "pull", "--snapshotter", "native", "--hosts-dir", tmp_path, f"{node.at()}/public/app:1")
