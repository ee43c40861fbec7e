"""Password guessing, and other clients meanwhile."""

import pytest

from client import RegistryClient
from fleet import PASSWORD
from processes import wait_for


@pytest.mark.parametrize("which", ["store", "eu-west"])
def test_i6_guesses_are_slowed_down_and_nobody_else_is(fleet, which):
    member = next(one for one in fleet.members() if one.name == which)

    def client(address, user, password=PASSWORD):
        return RegistryClient(fleet.host, member.registry_port, fleet.certificates, user, password,
                              source=address)

    for name in ("neighbour", "stranger"):
        fleet.control("user", "add", f"{name}-{which}", "--allow", "pull", stdin=PASSWORD + "\n")
    neighbour = client("127.0.0.2", f"neighbour-{which}")
    wait_for("the user to be known", lambda: neighbour.get("/v2/").status == 200)
    statuses = [client("127.0.0.2", "demo", f"guess {number}").get("/v2/").status
                for number in range(15)]
    assert statuses[:10] == [401] * 10 and statuses[-1] == 429, statuses
    refused = client("127.0.0.2", "demo", "one more").get("/v2/")
    assert (refused.status, refused.code()) == (429, "TOOMANYREQUESTS")
    assert int(refused.headers["Retry-After"]) >= 1
    assert "too many wrong passwords" in refused.message()
    assert neighbour.get("/v2/").status == 200, "it has shown the right one from that address"
    assert client("127.0.0.2", f"stranger-{which}").get("/v2/").status == 429
    assert client("127.0.0.3", f"stranger-{which}").get("/v2/").status == 200
    assert client("127.0.0.3", "demo").get("/v2/").status == 200, "ten guesses shut no user out"
    assert member.metric("outport_auth_failures_total", reason="rate_limited") >= 2
