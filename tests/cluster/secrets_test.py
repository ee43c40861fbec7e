"""No secret in a log, a metric, an audit file, or any file that others may read."""

import base64
import stat

from client import RegistryClient
from fleet import PASSWORD
from processes import wait_for

OTHER, WRONG = "another Secret 4711", "a wrong Secret 4712"


def use_everything(fleet):
    """Typical work of a fleet; returns the secrets that it used."""
    node = fleet.nodes["eu-west"]
    generated = fleet.control("user", "add", "robot", "--allow", "pull", "--generate").stdout.split()[0]
    fleet.control("user", "passwd", "robot", stdin=OTHER + "\n")
    token = fleet.invite("us-east")
    fleet.join(fleet.new_node("us-east"), token)
    fleet.join(fleet.new_node("us-west"), token, check=False)  # a used token, for another name
    node.client().push_image("team/app", "1", b"layer")
    wait_for("the robot", lambda: node.client("robot", OTHER).get("/v2/").status == 200)
    for member in fleet.members():
        assert RegistryClient(fleet.host, member.registry_port, fleet.certificates, "demo",
                              WRONG).get("/v2/team/app/tags/list").status == 401
        assert member.client(user=f"demo:{WRONG}").get("/v2/").status == 401
        assert member.client().get(f"/v2/?password={WRONG.replace(' ', '+')}").status == 200
    pairs = [f"{user}:{password}" for user in ("demo", "robot") for password in (PASSWORD, OTHER, WRONG)]
    encoded = [base64.b64encode(pair.encode()).decode() for pair in pairs]
    return [PASSWORD, OTHER, WRONG, WRONG.replace(" ", "+"), generated, token,
            token.rpartition(".")[2], *encoded]


def test_secrets_stay_secret(new_fleet):
    fleet = new_fleet("eu-west")
    for member in fleet.members():
        member.stop()
        text = member.config.read_text()
        assert "log: {level: info}" in text, text
        member.config.write_text(text.replace("log: {level: info}", "log: {level: debug}"))
        member.start()
    secrets = [secret.encode() for secret in use_everything(fleet)]
    metrics = "".join(member.operations("/metrics")[1] for member in fleet.members())
    fleet.control("audit", "list")
    for member in fleet.members():
        member.stop()
    looked_at = {"metrics": metrics.encode()}
    for path in fleet.folder.rglob("*"):
        if path.is_file():
            looked_at[str(path.relative_to(fleet.folder))] = path.read_bytes()
    assert any(name.endswith("store.log") for name in looked_at)
    assert any(b"team/app" in text for name, text in looked_at.items() if name.endswith("audit.jsonl"))
    leaked = [(name, secret) for name, text in looked_at.items() for secret in secrets if secret in text]
    assert leaked == []
    for path in fleet.folder.rglob("*"):
        if path.is_file() and (b"PRIVATE KEY" in path.read_bytes() or path.suffix == ".key"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700, path.parent
