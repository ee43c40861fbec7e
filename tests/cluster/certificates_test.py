"""Certificates with outportctl: key types, certificate requests, bundles, renewal, installation."""

import json
import shutil
import stat

import pytest

from client import RegistryClient
from fleet import PASSWORD
from processes import run, wait_for


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def status_with(fleet, folder, member=None):
    member = member or fleet.store
    return RegistryClient(fleet.host, member.registry_port, folder, "demo", PASSWORD).get("/v2/").status


def shown(fleet, which):
    return fleet.control_json("cert", "show", which)


def key_text(path):
    return run("openssl", "pkey", "-in", path, "-noout", "-text").stdout


@pytest.mark.parametrize("kind, says", [
    ("ecdsa-p256", "ASN1 OID: prime256v1"), ("ecdsa-p384", "ASN1 OID: secp384r1"),
    ("rsa-2048", "Private-Key: (2048 bit"), ("rsa-4096", "Private-Key: (4096 bit")])
def test_keys_of_every_kind_open_the_registry(fleet, tmp_path, kind, says):
    fleet.control("cert", "issue", f"key-{kind}", "--key-type", kind, "--out", tmp_path)
    assert says in key_text(tmp_path / "client.key")
    assert mode_of(tmp_path / "client.key") == 0o600
    assert status_with(fleet, tmp_path) == 200
    refused = fleet.control("cert", "issue", "x", "--key-type", "dsa", "--out", tmp_path, check=False)
    assert refused.returncode == 1 and "'dsa' is not a key type" in refused.stderr


def test_a_request_made_elsewhere_is_signed_and_names_nobody(fleet, tmp_path):
    key, request, out = tmp_path / "own.key", tmp_path / "own.csr", tmp_path / "out"
    run("openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request,
        "-subj", "/CN=root", "-addext", "subjectAltName=URI:spiffe://outport/admin/root")
    fleet.control("cert", "issue", "elsewhere", "--csr", request, "--out", out)
    assert sorted(path.name for path in out.iterdir()) == ["ca.crt", "client.cert"]
    assert shown(fleet, str(out / "client.cert"))["name"] == "elsewhere"
    shutil.copy(key, out / "client.key")
    assert status_with(fleet, out) == 200
    run("openssl", "req", "-new", "-newkey", "rsa:1024", "-nodes", "-keyout", key, "-out", request,
        "-subj", "/CN=weak")
    refused = fleet.control("cert", "issue", "weak", "--csr", request, "--out", tmp_path / "none", check=False)
    assert refused.returncode == 1 and "its key is not accepted" in refused.stderr
    assert not (tmp_path / "none" / "client.cert").exists()


def test_a_pkcs12_bundle_holds_key_certificate_and_chain(fleet, tmp_path):
    bundle = tmp_path / "anna.p12"
    fleet.control("cert", "issue", "anna", "--pkcs12", bundle, stdin="opens it\n")
    assert mode_of(bundle) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["anna.p12"]
    wrong = run("openssl", "pkcs12", "-in", bundle, "-passin", "pass:not this", "-nodes", check=False)
    assert wrong.returncode != 0
    text = run("openssl", "pkcs12", "-in", bundle, "-passin", "pass:opens it", "-nodes").stdout
    assert text.count("BEGIN CERTIFICATE") == 3 and "friendlyName: anna" in text
    folder = tmp_path / "opened"
    folder.mkdir()
    (folder / "client.cert").write_text(text)
    (folder / "client.key").write_text(text)
    shutil.copy(fleet.certificates / "ca.crt", folder)
    assert status_with(fleet, folder) == 200
    again = fleet.control("cert", "issue", "anna", "--pkcs12", bundle, stdin="x\n", check=False)
    assert again.returncode == 1 and "already exists" in again.stderr


def test_show_and_list_report_the_state_of_a_certificate(fleet, tmp_path):
    for name, days in (("list-1", "2"), ("list-2", "300")):
        fleet.control("cert", "issue", name, "--days", days, "--out", tmp_path / name)
    one = shown(fleet, str(tmp_path / "list-1" / "client.cert"))
    assert (one["status"], one["role"], one["issued_by"]) == ("valid", "client", "admin")
    assert shown(fleet, one["serial"][:10]) == one
    fleet.control("cert", "revoke", one["serial"])
    one = shown(fleet, one["serial"])
    assert (one["status"], one["revoked_by"]) == ("revoked", "admin") and one["revoked"]

    def names(*words):
        return sorted(row["name"] for row in fleet.control_json("cert", "list", "--name", "list-*", *words))

    assert names() == ["list-1", "list-2"]
    assert names("--status", "revoked") == ["list-1"]
    assert names("--status", "valid") == ["list-2"]
    assert names("--expiring", "7d") == []
    assert names("--expiring", "301d") == ["list-2"]
    assert names("--role", "admin") == []
    text = fleet.control("cert", "show", one["serial"]).stdout
    assert "status         revoked" in text


def test_a_renewed_certificate_is_the_same_holders_and_fits_its_key(fleet, tmp_path):
    certs = tmp_path / "certs.d"
    registries = [f"{fleet.host}:{member.registry_port}" for member in fleet.members()[:2]]
    fleet.control("cert", "issue", "renewed", "--days", "20", "--out", certs,
                  *(f"--for={registry}" for registry in registries))
    folders = [certs / registry for registry in registries]
    old_key = (folders[0] / "client.key").read_text()
    old = shown(fleet, str(folders[0] / "client.cert"))
    (row,) = fleet.control_json("cert", "renew", certs, "--revoke-old")
    assert (row["name"], row["replaced_serial"]) == ("renewed", old["serial"])
    assert sorted(row["folders"]) == sorted(str(folder) for folder in folders)
    for folder, member in zip(folders, fleet.members()):
        assert (folder / "client.key").read_text() == old_key
        assert shown(fleet, str(folder / "client.cert"))["serial"] == row["serial"]
        wait_for("the renewed one", lambda: status_with(fleet, folder, member) == 200)  # noqa: B023
    assert shown(fleet, old["serial"])["status"] == "revoked"
    fleet.control("cert", "renew", folders[0], "--new-key", "--days", "30")
    assert (folders[0] / "client.key").read_text() != old_key
    assert mode_of(folders[0] / "client.key") == 0o600
    assert status_with(fleet, folders[0]) == 200


def test_renew_finds_certificates_in_a_folder_and_below_it(fleet, tmp_path):
    certs = tmp_path / "certs.d"
    fleet.control("cert", "issue", "renew-base", "--out", certs)
    fleet.control("cert", "issue", "renew-below", "--out", certs, "--for", "registry.example.com:5000")
    assert sorted(row["name"] for row in fleet.control_json("cert", "renew", certs)) == ["renew-base", "renew-below"]


def test_one_failed_renewal_does_not_stop_the_others(fleet, tmp_path):
    certs = tmp_path / "certs.d"
    for name in ("renew-good", "renew-broken", "renew-keyless"):
        fleet.control("cert", "issue", name, "--out", certs / name, "--key-type", "ecdsa-p384")
    (certs / "renew-broken" / "client.cert").write_text("no certificate")
    (certs / "renew-keyless" / "client.key").unlink()
    before = (certs / "renew-good" / "client.cert").read_text()
    done = fleet.control("cert", "renew", certs, check=False)
    assert done.returncode == 1
    assert "some certificates were not renewed:" in done.stderr
    assert f"{certs}/renew-broken/client.cert" in done.stderr
    assert f"outportctl cert issue renew-keyless --days 365 --csr FILE --out {certs}/renew-keyless" in done.stderr
    assert "renew-good" in done.stdout
    assert (certs / "renew-good" / "client.cert").read_text() != before
    # Certificates that were not renewed are not revoked.
    fleet.control("cert", "issue", "renew-twice", "--out", tmp_path / "twice", "--for", "a:1", "--for", "b:1")
    (tmp_path / "twice" / "a:1" / "client.key").unlink()
    done = fleet.control("cert", "renew", tmp_path / "twice", "--revoke-old", check=False)
    assert done.returncode == 1 and "a folder that was not renewed still holds it" in done.stderr
    assert shown(fleet, str(tmp_path / "twice" / "a:1" / "client.cert"))["status"] == "valid"
    # A new key does not need the older key, and has the same type.
    fleet.control("cert", "renew", certs / "renew-keyless", "--new-key")
    text = run("openssl", "x509", "-in", certs / "renew-keyless" / "client.cert", "-noout", "-text").stdout
    assert "secp384r1" in text


def test_a_certificate_whose_key_is_elsewhere_is_renewed_with_a_request_of_that_key(fleet, tmp_path):
    key, request, folder = tmp_path / "key", tmp_path / "csr", tmp_path / "elsewhere"
    run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", key, "-out", request, "-subj", "/CN=any")
    fleet.control("cert", "issue", "elsewhere", "--csr", request, "--out", folder)
    before = (folder / "client.cert").read_text()
    refused = fleet.control("cert", "renew", folder, check=False)
    assert refused.returncode == 1
    assert f"'outportctl cert issue elsewhere --days 365 --csr FILE --out {folder}'" in refused.stderr
    fleet.control("cert", "issue", "elsewhere", "--csr", request, "--out", folder)
    assert (folder / "client.cert").read_text() != before


def test_an_administrators_profile_is_renewed(fleet, tmp_path):
    profile = tmp_path / "bob"
    fleet.control("cert", "issue", "bob", "--role", "admin", "--days", "10", "--out", profile)
    before = (profile / "admin.crt").read_text()
    done = run(*fleet_command(fleet, profile), "cert", "renew", profile)
    assert "bob" in done.stdout and (profile / "admin.crt").read_text() != before
    run(*fleet_command(fleet, profile), "status")


def fleet_command(fleet, profile):
    words = fleet.control("status").args
    return [words[0], "--profile", profile]


def test_install_puts_them_where_the_engines_look(fleet, tmp_path):
    certs, etc = tmp_path / "certs.d", tmp_path / "etc"
    registry = f"{fleet.host}:{fleet.store.registry_port}"
    fleet.control("cert", "issue", "installed", "--for", registry, "--out", certs)
    for engine in ("docker", "containerd"):
        into = etc / engine
        for _ in range(2):  # again is no error
            fleet.control("cert", "install", certs, "--engine", engine, "--into", into)
        folder = into / registry
        assert status_with(fleet, folder) == 200
        assert mode_of(folder / "client.key") == 0o600
    hosts = (etc / "containerd" / registry / "hosts.toml").read_text()
    assert f'server = "https://{registry}"' in hosts
    assert f'client = [["{folder}/client.cert", "{folder}/client.key"]]' in hosts
    fleet.control("cert", "issue", "other", "--for", registry, "--out", tmp_path / "other")
    refused = fleet.control("cert", "install", tmp_path / "other", "--into", etc / "docker", check=False)
    assert refused.returncode == 1 and "differs from the new key; overwrite it with --replace" in refused.stderr
    fleet.control("cert", "install", tmp_path / "other", "--into", etc / "docker", "--replace")
    desktop = fleet.control("cert", "install", certs, "--engine", "docker-desktop").stdout
    assert f"cp -R '{certs}/.' ~/.docker/certs.d/" in desktop
    unnamed = fleet.control("cert", "install", fleet.certificates, check=False)
    assert unnamed.returncode == 1 and "is not named HOST:PORT or HOST" in unnamed.stderr


def test_install_a_registry_on_port_443(fleet, tmp_path):
    """An image name without a port means port 443. The engines look for a folder without a port, too."""
    certs, etc = tmp_path / "certs.d", tmp_path / "etc"
    names = ["registry.example.test", "registry.example.test:5000", "localhost"]
    fleet.control("cert", "issue", "without-port", *[word for name in names for word in ("--for", name)],
                  "--out", certs)
    fleet.control("cert", "install", f"{certs}/registry.example.test/", "--into", etc / "alone")
    assert [folder.name for folder in (etc / "alone").iterdir()] == ["registry.example.test"]
    fleet.control("cert", "install", certs, "--into", etc / "all", "--engine", "containerd")
    assert sorted(folder.name for folder in (etc / "all").iterdir()) == sorted(names)
    hosts = (etc / "all" / "registry.example.test" / "hosts.toml").read_text()
    assert 'server = "https://registry.example.test"' in hosts
    unnamed = tmp_path / "unnamed" / "certs.d"
    fleet.control("cert", "issue", "unnamed", "--out", unnamed)
    refused = fleet.control("cert", "install", unnamed, "--into", etc / "unnamed", check=False)
    assert refused.returncode == 1 and "its registry is unknown" in refused.stderr


def test_ca_show_and_the_root_key_offline(new_fleet, tmp_path):
    fleet = new_fleet()
    root, issuing = fleet.control_json("ca", "show")
    pki = fleet.store.data / "pki"
    output = run("openssl", "x509", "-in", pki / "root.crt", "-noout", "-fingerprint", "-sha256").stdout
    assert root["fingerprint"] == output.partition("=")[2].strip().replace(":", "").lower()
    assert (root["authority"], issuing["authority"]) == ("root", "issuing")
    assert issuing["key_type"] == "ECDSA P-256"
    assert "the root key is on the store's disk" in fleet.control("ca", "show").stderr
    fleet.store.stop()
    (pki / "root.key").rename(tmp_path / "root.key")
    fleet.store.start()
    assert fleet.control("ca", "show").stderr == ""
    fleet.add_node("eu-west")
    fleet.control("cert", "issue", "later", "--out", tmp_path / "later")
    assert status_with(fleet, tmp_path / "later", fleet.nodes["eu-west"]) in (200, 401)
    json.loads(fleet.control("-o", "json", "cert", "renew", tmp_path / "later").stdout)


@pytest.mark.parametrize("what", ["issuing.key", "server.key", "root.key"])
def test_a_key_that_others_may_read_is_refused(new_fleet, what):
    fleet = new_fleet()
    key = fleet.store.data / "pki" / what
    fleet.store.stop()
    key.chmod(0o640)
    done = run(fleet.store.command[0], "check", "--config", fleet.store.config, check=False)
    assert done.returncode == 1 and str(key) in done.stderr and "chmod 600" in done.stderr


def test_a_revoked_certificate_is_not_given_back_by_a_renewal(fleet, tmp_path):
    fleet.control("cert", "issue", "stolen", "--out", tmp_path / "stolen")
    serial = run("openssl", "x509", "-in", tmp_path / "stolen/client.cert", "-noout", "-serial").stdout.strip()
    fleet.control("cert", "revoke", serial.split("=")[1].lower())
    refused = fleet.control("cert", "renew", tmp_path / "stolen", check=False)
    assert refused.returncode == 1 and "is revoked and cannot be renewed" in refused.stderr
    refused = fleet.control("cert", "renew", fleet.admin, "--revoke-old", check=False)
    assert refused.returncode == 1 and "cannot revoke the certificate of this profile" in refused.stderr
    assert fleet.control("cert", "issue", "x", "--days", "0", "--out", tmp_path / "x", check=False).returncode == 2


def test_a_restarted_store_learns_how_far_its_nodes_are(fleet):
    fleet.store.stop()
    fleet.store.start()
    head = fleet.control_json("status")["head_sequence"]
    output = fleet.control("wait", "--sequence", str(head), "eu-west", "us-east", "--timeout", "20s").stdout
    assert "eu-west" in output and "us-east" in output, output
