"""Access that is taken away, on open connections of a real fleet."""

from client import RegistryClient
from connections import cut_by, open_connection
from fleet import PASSWORD
from processes import PATIENCE

ROUNDS = 10


def measure(fleet, prepare, take_away):
    """The longest of some rounds, over the store and both nodes."""
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


def wait_until_known(fleet, user):
    """Until every node has heard of the user."""
    sequence = fleet.control_json("user", "enable", user)["sequence"]
    fleet.control("wait", "--sequence", str(sequence))


def test_i6_a_revoked_certificate_is_cut_everywhere_in_a_second(fleet):
    def prepare(number):
        folder = fleet.folder / f"laptop{number}"
        issued = fleet.control_json("cert", "issue", f"laptop{number}", "--out", folder)
        return folder, "demo", issued["serial"]

    def take_away(serial):
        fleet.control("cert", "revoke", serial)

    wait_until_known(fleet, "demo")
    assert measure(fleet, prepare, take_away) < 1 * PATIENCE
    # Whoever comes again is told why.
    gone = RegistryClient(fleet.host, fleet.nodes["eu-west"].registry_port,
                          fleet.folder / "laptop0", "demo", PASSWORD)
    refused = gone.call("GET", "/v2/")
    assert refused.status == 400
    assert "it was revoked" in refused.message()


def test_i6_a_disabled_user_is_cut_everywhere_in_a_second(fleet):
    def prepare(number):
        user = f"guest{number}"
        fleet.control("user", "add", user, "--allow", "pull", stdin=PASSWORD + "\n")
        wait_until_known(fleet, user)
        return fleet.certificates, user, user

    def take_away(user):
        fleet.control("user", "disable", user)

    assert measure(fleet, prepare, take_away) < 1 * PATIENCE
    refused = fleet.nodes["us-east"].client("guest0").call("GET", "/v2/")
    assert refused.status == 401
    assert "user 'guest0' is disabled" in refused.message()


def test_what_is_revoked_stays_so_over_restarts(fleet):
    folder = fleet.folder / "lost"
    issued = fleet.control_json("cert", "issue", "lost", "--out", folder)
    done = fleet.control_json("cert", "revoke", issued["serial"], "--wait")
    assert sorted(done["confirmed"]) == ["eu-west", "us-east"]
    for member in fleet.members():
        member.kill()
        member.start()
        client = RegistryClient(fleet.host, member.registry_port, folder, "demo", PASSWORD)
        assert client.call("GET", "/v2/").status == 400
