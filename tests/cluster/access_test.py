"""Revoked access, on open connections of a real fleet."""

from client import RegistryClient
from connections import cut_by, open_connection
from fleet import PASSWORD
from processes import PATIENCE, run, wait_for

ROUNDS = 10


def measure(fleet, prepare, take_away):
    """Returns the longest time of some rounds, over the store and both nodes."""
    worst = 0.0
    for number in range(ROUNDS):
        certificates, user, subject = prepare(number)
        connections = {member.name: open_connection(fleet, member, certificates, user)
                       for member in fleet.members()}
        _, took = cut_by(connections, lambda: take_away(subject))  # noqa: B023
        worst = max(worst, *took.values())
        for connection in connections.values():
            connection.close()
    return worst


def test_i6_a_revoked_certificate_is_cut_everywhere_in_a_second(fleet):
    def prepare(number):
        folder = fleet.folder / f"laptop{number}"
        issued = fleet.control_json("cert", "issue", f"laptop{number}", "--out", folder)
        return folder, "demo", issued["serial"]

    def take_away(serial):
        fleet.control("cert", "revoke", serial)

    fleet.settle()
    assert measure(fleet, prepare, take_away) < 1 * PATIENCE
    # A new connection gets the reason.
    gone = RegistryClient(fleet.host, fleet.nodes["eu-west"].registry_port,
                          fleet.folder / "laptop0", "demo", PASSWORD)
    refused = gone.call("GET", "/v2/")
    assert refused.status == 400
    assert "it was revoked" in refused.message()


def test_i6_a_disabled_user_is_cut_everywhere_in_a_second(fleet):
    def prepare(number):
        user = f"guest{number}"
        fleet.control("user", "add", user, "--allow", "pull", stdin=PASSWORD + "\n")
        fleet.settle()
        return fleet.certificates, user, user

    def take_away(user):
        fleet.control("user", "disable", user)

    assert measure(fleet, prepare, take_away) < 1 * PATIENCE
    refused = fleet.nodes["us-east"].client("guest0").call("GET", "/v2/")
    assert refused.status == 401
    assert "user 'guest0' is disabled" in refused.message()


def test_the_expiry_of_a_user_cuts_its_connections(fleet):
    """No command runs at that moment: the user just expires."""
    fleet.control("user", "add", "brief", "--allow", "pull", stdin=PASSWORD + "\n")
    fleet.settle()
    connections = {member.name: open_connection(fleet, member, fleet.certificates, "brief")
                   for member in fleet.members()}
    _, took = cut_by(connections, lambda: fleet.control("user", "set", "brief", "--expires", "3s"))
    assert min(took.values()) > 2, "they were cut before"
    refused = fleet.nodes["us-east"].client("brief").call("GET", "/v2/")
    assert refused.status == 401 and "user 'brief' expired at" in refused.message()


def test_users_of_an_htpasswd_file_follow_its_lines(new_fleet, tmp_path):
    """As `htpasswd -B` edits it, while store and node run."""
    fleet = new_fleet("eu-west")
    file = tmp_path / "registry.htpasswd"
    run("htpasswd", "-cbB", file, "filed", PASSWORD)
    fleet.store.set_section("access", htpasswd_file=file)
    fleet.control("grant", "add", "group:htpasswd", "pull,push:team/**")
    members = [fleet.store, *fleet.nodes.values()]

    def listed(*users):
        """Until these are the file's users, everywhere. (Trying passwords meanwhile would be guessing.)"""
        wait_for(f"{users} to be listed", lambda: [
            row["name"] for row in fleet.control_json("user", "list")
            if row["name"] != "demo" and row["status"] != "not in the file"] == list(users))
        fleet.settle()

    def all_answer(user, password, status):
        assert [member.client(user, password).get("/v2/").status for member in members] == [status] * 2

    listed("filed")
    all_answer("filed", PASSWORD, 200)
    digest = fleet.nodes["eu-west"].client("filed").push_image("team/app", "v1", b"filed")
    answer = fleet.store.client("filed").get("/v2/team/app/manifests/v1")
    assert (answer.status, answer.headers["Docker-Content-Digest"]) == (200, digest)
    run("htpasswd", "-bB", file, "filed", "another one")
    run("htpasswd", "-bB", file, "second", PASSWORD)
    listed("filed", "second")
    all_answer("filed", "another one", 200)
    all_answer("filed", PASSWORD, 401)
    all_answer("second", PASSWORD, 200)
    connections = {member.name: open_connection(fleet, member, fleet.certificates, "second")
                   for member in members}
    cut_by(connections, lambda: run("htpasswd", "-D", file, "second"))
    listed("filed")
    all_answer("second", PASSWORD, 401)
    all_answer("filed", "another one", 200)
    refused = fleet.control("user", "passwd", "filed", stdin=PASSWORD + "\n", check=False)
    assert refused.returncode == 1 and f"defined in {file}" in refused.stderr


def test_i14_an_accident_with_the_htpasswd_file_widens_no_access(new_fleet, tmp_path):
    """The file is empty for a moment, then it lacks a line, then it is whole again."""
    fleet = new_fleet("eu-west")
    file = tmp_path / "registry.htpasswd"
    run("htpasswd", "-cbB", file, "ann", PASSWORD)
    run("htpasswd", "-bB", file, "bert", PASSWORD)
    whole = file.read_text()
    fleet.store.set_section("access", htpasswd_file=file)
    fleet.control("grant", "add", "group:htpasswd", "pull")
    fleet.control("user", "disable", "bert")
    members = [fleet.store, *fleet.nodes.values()]

    def status_of(user):
        return {row["name"]: row["status"] for row in fleet.control_json("user", "list")}.get(user)

    def all_admit(user):
        fleet.settle()
        assert [member.client(user).get("/v2/").status for member in members] == [200, 200]

    def all_refuse(user, why):
        fleet.settle()
        for member in members:
            refused = member.client(user).call("GET", "/v2/")
            assert refused.status == 401 and why in refused.message()

    def warned():
        return any(f"{file} has no user" in text for text in fleet.store.warnings())

    assert not warned()
    file.write_text("")
    wait_for("a warning", warned)
    assert f"{file} has no user" in fleet.control("status").stdout
    all_admit("ann")
    all_refuse("bert", "is disabled")
    fleet.store.stop()
    fleet.store.start()
    assert warned()
    all_admit("ann")
    file.write_text(whole.splitlines()[0] + "\n")
    wait_for("bert to be out", lambda: status_of("bert") == "not in the file")
    wait_for("no warning", lambda: not warned())
    all_refuse("bert", "is wrong")
    file.write_text(whole)
    wait_for("bert to be back", lambda: status_of("bert") == "disabled")
    all_refuse("bert", "is disabled")
    all_admit("ann")
    file.write_text(whole.splitlines()[0] + "\n")
    wait_for("bert to be out", lambda: status_of("bert") == "not in the file")
    fleet.control("user", "remove", "bert")
    assert status_of("bert") is None


def test_a_revocation_survives_restarts(fleet):
    folder = fleet.folder / "lost"
    issued = fleet.control_json("cert", "issue", "lost", "--out", folder)
    done = fleet.control_json("cert", "revoke", issued["serial"], "--wait")
    assert sorted(done["confirmed"]) == ["eu-west", "us-east"]
    for member in fleet.members():
        member.kill()
        member.start()
        client = RegistryClient(fleet.host, member.registry_port, folder, "demo", PASSWORD)
        assert client.call("GET", "/v2/").status == 400
