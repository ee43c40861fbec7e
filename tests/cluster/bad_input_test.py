"""Wrong input: one clear line, a non-zero exit code, and no loss."""

import os
import re
import socket

import pytest

from client import digest_of
from fleet import NODE, STORE, Fleet
from processes import run, wait_for


@pytest.fixture(scope="module")
def quiet_fleet(tmp_path_factory):
    """An initialised store that does not run, and a copy of its configuration for the test to break."""
    fleet = Fleet(tmp_path_factory.mktemp("quiet"))
    fleet.init_store()
    return fleet


def refusal(program, *words, stdin=None, exit_code=1, lines=1):
    """Runs a program that must fail; returns its standard error."""
    done = run(program, *words, stdin=stdin, check=False, seconds=30)
    assert done.returncode == exit_code, (words, done)
    said = done.stderr.strip()
    assert said, words
    if lines:
        assert len(said.splitlines()) == lines, said
    return said


def spoiled(fleet, tmp_path, change):
    config = tmp_path / "store.yml"
    config.write_text(change(fleet.store.config.read_text()))
    return config


@pytest.mark.parametrize("verb", ["check", "serve"])
def test_an_unknown_key_is_named_with_its_line(quiet_fleet, tmp_path, verb):
    config = spoiled(quiet_fleet, tmp_path, lambda text: text + "\nregistri: {listen: \"x\"}\n")
    line = len(config.read_text().splitlines())
    said = refusal(STORE, verb, "--config", config)
    assert f"store.yml:{line}" in said and "registri" in said


def test_a_renamed_key_names_the_new_key(quiet_fleet, tmp_path):
    config = spoiled(quiet_fleet, tmp_path, lambda text: text + "\nuploads: {sessions: 10}\n")
    said = refusal(STORE, "check", "--config", config)
    assert "unknown key 'uploads.sessions': it is now 'uploads.max_sessions'" in said


def test_yaml_that_is_none_is_named_with_its_line(quiet_fleet, tmp_path):
    config = spoiled(quiet_fleet, tmp_path, lambda text: text + "\nlog: {level: [info\n")
    said = refusal(STORE, "check", "--config", config)
    assert re.search(r"store\.yml:\d+", said), said


@pytest.mark.parametrize("text, wanted", [
    ("log: {level: loud}", "loud"),
    ("freshness: {max_staleness: soon}", "soon"),
    ("freshness: {on_store_unreachable: pray}", "pray"),
])
def test_a_wrong_value_is_named(quiet_fleet, tmp_path, text, wanted):
    key = text.split(":")[0]
    config = spoiled(quiet_fleet, tmp_path, lambda old: "\n".join(
        line for line in re.sub(rf"(?ms)^{key}:.*?(?=^\S|\Z)", "", old).splitlines()) + f"\n{text}\n")
    assert wanted in refusal(STORE, "check", "--config", config)


@pytest.mark.parametrize("verb", ["check", "serve"])
@pytest.mark.parametrize("key, address, wanted", [
    ("registry", "localhost:5000", "'registry.listen'"),
    ("operations", "{fleet}", "is already used by 'fleet.listen'"),
])
def test_an_address_nobody_can_listen_on_is_named_with_its_line(
        quiet_fleet, tmp_path, verb, key, address, wanted):
    fleet_listen = f"127.0.0.1:{quiet_fleet.fleet_port}"
    listen = address.replace("{fleet}", fleet_listen)
    config = spoiled(quiet_fleet, tmp_path, lambda text: re.sub(
        rf'(?m)^{key}: .*$', f'{key}: {{listen: "{listen}"}}', text))
    said = refusal(STORE, verb, "--config", config)
    assert re.search(r"store\.yml:\d+: ", said) and wanted in said and listen in said
    assert "stop the process that uses it" not in said


def test_an_address_of_another_machine_is_not_said_to_be_in_use(quiet_fleet, tmp_path):
    config = spoiled(quiet_fleet, tmp_path, lambda text: re.sub(
        r'(?m)^registry: .*$', 'registry: {listen: "192.0.2.77:0"}', text))
    said = refusal(STORE, "serve", "--config", config, lines=None).splitlines()[-1]
    assert "192.0.2.77:0" in said and "registry.listen" in said
    assert "stop the process that uses it" not in said


def test_a_fleet_address_that_the_certificate_lacks_is_named_with_its_line(quiet_fleet, tmp_path):
    config = spoiled(quiet_fleet, tmp_path, lambda text: re.sub(
        r'address: "[^"]*"', 'address: "elsewhere:5001"', text))
    for verb in ("check", "serve"):
        said = refusal(STORE, verb, "--config", config)
        assert re.search(r"store\.yml:\d+: 'fleet.address'", said) and "'elsewhere'" in said


def test_a_broken_issuing_key_is_named(tmp_path):
    fleet = Fleet(tmp_path)
    fleet.init_store()
    (fleet.store.data / "pki" / "issuing.key").write_text("hello\n")
    for verb in ("check", "serve"):
        said = refusal(STORE, verb, "--config", fleet.store.config)
        assert "issuing" in said and str(fleet.store.data) in said and "restore" in said


def test_every_problem_of_a_file_is_reported_at_once(quiet_fleet, tmp_path):
    config = spoiled(quiet_fleet, tmp_path, lambda text: text + "\nfirst: 1\nsecond: 2\n")
    said = refusal(STORE, "check", "--config", config, lines=None)
    assert "first" in said and "second" in said


def test_a_missing_configuration_is_named(tmp_path):
    for program in (STORE, NODE):
        said = refusal(program, "serve", "--config", tmp_path / "absent.yml")
        assert "absent.yml" in said and "writes this file" in said


def test_a_good_configuration_passes(quiet_fleet):
    assert run(STORE, "check", "--config", quiet_fleet.store.config).returncode == 0


def test_wrong_arguments_exit_with_2(quiet_fleet):
    for program in (STORE, NODE):
        refusal(program, "--no-such-option", exit_code=2, lines=None)
        refusal(program, exit_code=2, lines=None)


def test_init_refuses_a_folder_that_is_taken(quiet_fleet):
    said = refusal(STORE, "init", "--data", quiet_fleet.store.data, "--name", "127.0.0.1")
    assert str(quiet_fleet.store.data) in said


def test_keys_are_for_their_owner_alone(quiet_fleet):
    keys = [*quiet_fleet.folder.rglob("*.key")]
    assert keys
    for key in keys:
        assert key.stat().st_mode & 0o077 == 0, key
    assert (quiet_fleet.store.data / "pki").stat().st_mode & 0o077 == 0


def test_a_key_that_others_may_read_is_refused(new_fleet):
    fleet = new_fleet("eu-west")
    for program, member, name in ((STORE, fleet.store, "server.key"),
                                  (NODE, fleet.nodes["eu-west"], "identity.key")):
        key = member.data / "pki" / name
        key.chmod(0o644)
        said = refusal(program, "check", "--config", member.config)
        assert str(key) in said and "chmod 600" in said
        key.chmod(0o600)
        assert run(program, "check", "--config", member.config).returncode == 0


def test_a_folder_of_another_process_is_named_with_its_owner(new_fleet):
    fleet = new_fleet("eu-west")
    for program, member in ((STORE, fleet.store), (NODE, fleet.nodes["eu-west"])):
        said = refusal(program, "serve", "--config", member.config)
        assert str(member.data) in said and str(member.pid) in said
        assert member.healthy()


@pytest.mark.parametrize("port", ["registry_port", "fleet_port", "operations_port"])
def test_a_port_in_use_is_named(tmp_path, port):
    fleet = Fleet(tmp_path)
    fleet.init_store()
    number = getattr(fleet.store, port, None) or fleet.fleet_port
    with socket.create_server(("127.0.0.1", number)):
        said = refusal(STORE, "serve", "--config", fleet.store.config, lines=None)
        last = said.splitlines()[-1]
        assert f"127.0.0.1:{number}" in last and "use" in last, said
    fleet.store.start()
    fleet.stop()


@pytest.mark.parametrize("port, key", [("registry_port", "registry.listen"),
                                       ("operations_port", "operations.listen")])
def test_a_port_in_use_at_a_node_is_named(new_fleet, port, key):
    fleet = new_fleet()
    node = fleet.new_node("eu-west")
    fleet.join(node, fleet.invite("eu-west"))
    with socket.create_server(("127.0.0.1", getattr(node, port))):
        said = refusal(NODE, "serve", "--config", node.config, lines=None).splitlines()[-1]
        assert f"127.0.0.1:{getattr(node, port)}" in said and key in said, said
    node.start()
    assert node.stop() == 0


def test_a_wrong_token_is_refused(new_fleet):
    fleet = new_fleet()
    good = fleet.invite("eu-west")
    for token in ("", "hello", good[:-5], good[:20] + ("A" if good[20] != "A" else "B") + good[21:]):
        node = fleet.new_node("eu-west")
        done = fleet.join(node, token, check=False)
        assert done.returncode == 1, token
        assert "outport-node: " in done.stderr and len(done.stderr.strip().splitlines()) == 1, done
        assert good not in done.stderr
        assert not node.config.exists()
    # The failed attempt had no effect: the valid token still works.
    fleet.nodes["eu-west"] = node = fleet.new_node("eu-west")
    fleet.join(node, good)
    node.start()


def test_a_token_in_a_file_that_others_can_read_is_refused(new_fleet):
    fleet = new_fleet()
    token = fleet.folder / "token"
    fleet.control("node", "invite", "eu-west", "--host", "127.0.0.1", "--out", token)
    assert token.stat().st_mode & 0o077 == 0
    join = (NODE, "join", "--data", fleet.folder / "n", "--token-file")
    said = refusal(*join, fleet.folder / "absent")
    assert "--token-file" in said and "--out" in said
    said = refusal(*join, token.read_text().strip())
    assert token.read_text().strip() not in said
    token.chmod(0o644)
    assert "chmod 600" in refusal(*join, token)
    token.chmod(0o600)
    run(*join, token)


def test_a_used_token_is_refused(new_fleet):
    fleet = new_fleet()
    token = fleet.invite("eu-west")
    fleet.join(fleet.new_node("eu-west"), token)
    thief = fleet.new_node("thief")
    done = fleet.join(thief, token, check=False)
    assert done.returncode == 1 and "used" in done.stderr and "invite" in done.stderr, done


def test_an_expired_token_is_refused(new_fleet):
    fleet = new_fleet()
    # The token expires before a program can start.
    done = fleet.join(fleet.new_node("eu-west"), fleet.invite("eu-west", "--lifetime", "1ms"),
                      check=False)
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1, done
    assert "expired" in done.stderr and "invite" in done.stderr, done


def test_a_token_of_another_fleet_is_refused(new_fleet):
    """The store at the address has another root than the one that the token names."""
    fleet, other = new_fleet(), new_fleet()
    token = fleet.invite("eu-west")
    fleet.store.stop()
    other.store.stop()
    # The other store listens at the first one's address.
    config = other.store.config.read_text()
    other.store.config.write_text(config.replace(str(other.fleet_port), str(fleet.fleet_port)))
    other.store.start()
    done = fleet.join(fleet.new_node("eu-west"), token, check=False)
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1, done
    assert "does not belong to the fleet of this token" in done.stderr, done


def test_an_unreachable_store_is_named(new_fleet):
    fleet = new_fleet()
    token = fleet.invite("eu-west")
    fleet.store.stop()
    done = fleet.join(fleet.new_node("eu-west"), token, check=False)
    assert done.returncode == 1 and f"127.0.0.1:{fleet.fleet_port}" in done.stderr, done
    done = fleet.control("user", "list", check=False)
    assert done.returncode == 1 and f"127.0.0.1:{fleet.fleet_port}" in done.stderr, done


def test_an_upload_with_a_lost_connection_loses_nothing(new_fleet):
    fleet = new_fleet()
    client = fleet.store.client()
    data = os.urandom(3_000_000)
    location = client.start_upload("team/cut")
    connection = client.connect()
    connection.putrequest("PATCH", location)
    for name, value in client.headers({"Content-Length": str(len(data))}).items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(data[:1_500_000])
    connection.close()

    assert client.get(f"/v2/team/cut/blobs/{digest_of(data)}").status == 404

    def continues():
        """The client sends the rest, from where the server says it is."""
        session = client.get(location)
        assert session.status == 204, session
        received = int(session.headers["Range"].split("-")[1]) + 1
        start = 0 if session.headers["Range"] == "0-0" else received
        assert start <= 1_500_000
        answer = client.call("PATCH", location, body=data[start:], headers={
            "Content-Type": "application/octet-stream",
            "Content-Range": f"{start}-{len(data) - 1}"})
        # More bytes may arrive from the first client until the server sees the end of its connection.
        assert answer.status in (202, 416, 429), answer
        return answer if answer.status == 202 else None

    answer = wait_for("the upload to continue", continues)
    assert client.finish_upload(answer.headers["Location"], digest_of(data)).status == 201
    assert client.get(f"/v2/team/cut/blobs/{digest_of(data)}").body == data


def test_passwords_do_not_pass_by_arguments(quiet_fleet):
    """No option takes a password, so no password gets into a shell's history."""
    for words in (("user", "add", "x", "--allow", "pull", "--password", "hush"),
                  ("user", "add", "x", "--allow", "pull", "hush")):
        done = quiet_fleet.control(*words, check=False)
        assert done.returncode == 2 and "hush" not in done.stderr + done.stdout, done


def test_a_token_as_an_argument_is_refused_and_not_repeated(tmp_path):
    said = refusal(NODE, "join", "--data", tmp_path / "n", "outport1.secret", exit_code=2)
    assert "outport1" not in said and "1 argument too many" in said and "--token-file" in said


def test_a_mistyped_option_is_named_with_those_there_are(tmp_path):
    for program in (STORE, NODE):
        said = refusal(program, "serve", "--confg", tmp_path / "x.yml", exit_code=2)
        assert "--confg" in said and "takes --config" in said


def test_versions_and_help():
    for program in (STORE, NODE, STORE.parent / "outportctl"):
        assert re.search(r"\d+\.\d+\.\d+", run(program, "--version").stdout)
        assert "Usage" in run(program, "--help").stdout
