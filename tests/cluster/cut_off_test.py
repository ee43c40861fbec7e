"""A node that has had no news of revocations for too long."""

import pytest

from processes import wait_for

AGE = 5  # seconds, the least


@pytest.mark.parametrize("beyond", ["refuse", "serve"])
def test_i6_beyond_the_revocation_age_the_policy_decides(new_fleet, beyond):
    fleet = new_fleet()
    store = fleet.store
    store.set_section("access", max_revocation_age=f"{AGE}s", on_expired_revocations=beyond)
    node = fleet.add_node("eu-west")
    store.client().push_image("team/app", "v1", b"layer")
    client = node.client()
    path = "/v2/team/app/tags/list"
    wait_for("the tag to be there", lambda: client.get(path).status == 200)
    store.kill()
    wait_for("the node to be cut off", lambda: node.metric("outport_node_sync_connected") == 0)
    assert client.get(path).status == 200, "the node serves until then"
    wait_for("the node's knowledge to be old",
             lambda: node.metric("outport_node_staleness_seconds") > AGE + 1)
    answer = client.get(path)
    if beyond == "serve":
        assert answer.status == 200
    else:
        assert answer.status == 503 and b"does not know the latest revocations" in answer.body
        assert answer.headers["Retry-After"]
        assert node.operations("/readyz")[0] == 503
    store.start()
    wait_for("the node to be back", lambda: client.get(path).status == 200)
