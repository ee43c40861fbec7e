"""The TLS of every public port of a fleet, as openssl s_client sees it."""

import re

import pytest

from processes import run

PORTS = ("store", "node", "fleet")
FORWARD_SECRET = re.compile(r"(ECDHE-(ECDSA|RSA)-(AES(128|256)-GCM-SHA\d+|CHACHA20-POLY1305))$")


@pytest.fixture(name="scan", scope="module")
def make_scan(fleet):
    ports = {"store": fleet.store.registry_port, "fleet": fleet.fleet_port,
             "node": fleet.nodes["eu-west"].registry_port}
    profile = {"fleet": ("admin.crt", "admin.key", fleet.admin),
               "store": ("client.cert", "client.key", fleet.certificates),
               "node": ("client.cert", "client.key", fleet.certificates)}

    def connect(port, *words, stdin="Q\n"):
        certificate, key, folder = profile[port]
        alpn = ["-alpn", "h2"] if port == "fleet" else []
        done = run("openssl", "s_client", "-connect", f"127.0.0.1:{ports[port]}", "-cert",
                   folder / certificate, "-key", folder / key, "-CAfile", folder / "ca.crt", *alpn, *words,
                   stdin=stdin, check=False)
        return done.stdout + done.stderr

    return connect


def cipher_of(output):
    """The negotiated parameters; '' if the handshake failed."""
    found = re.search(r"^(?:New|Reused), \S+, Cipher is (\S+)$", output, re.M)
    assert found, output
    return "" if found.group(1) == "(NONE)" else found.group(1)


@pytest.mark.parametrize("port", PORTS)
def test_tls_1_2_and_1_3_alone(scan, port):
    for version in ("-tls1_2", "-tls1_3"):
        output = scan(port, version)
        assert cipher_of(output) and "Verification: OK" in output, output
    for version in ("-tls1", "-tls1_1"):
        # Without this option, openssl itself does not offer them.
        assert cipher_of(scan(port, version, "-cipher", "ALL:@SECLEVEL=0")) == "", version


@pytest.mark.parametrize("port", PORTS)
def test_only_ciphers_with_forward_secrecy_and_authentication(scan, port):
    listed = run("openssl", "ciphers", "-s", "-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0").stdout
    ciphers = listed.strip().split(":")
    assert len(ciphers) > 50
    agreed = {cipher for cipher in ciphers
              if cipher_of(scan(port, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0"))}
    assert agreed, "there is no TLS 1.2 at all"
    assert [cipher for cipher in agreed if not FORWARD_SECRET.match(cipher)] == []


@pytest.mark.parametrize("port", PORTS)
def test_the_suites_of_tls_1_3(scan, port):
    """Suites with full authentication tags; not CCM with short tags."""
    suites = ("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256",
              "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256")
    agreed = [suite for suite in suites
              if cipher_of(scan(port, "-tls1_3", "-ciphersuites", suite)) == suite]
    assert agreed == list(suites[:3])


@pytest.mark.parametrize("port", PORTS)
def test_no_renegotiation_and_no_compression(scan, port):
    output = scan(port, "-tls1_2", stdin="R\nQ\n")
    assert "RENEGOTIATING" in output
    # The last pattern: the server sent data before it saw the request to renegotiate.
    refusals = ("no renegotiation", "write:errno", "unexpected eof", "unexpected record")
    assert any(refusal in output for refusal in refusals), output
    assert "Compression: NONE" in output


@pytest.mark.parametrize("port", ("store", "node"))  # the fleet port checks the certificate with every call
@pytest.mark.parametrize("version", ("-tls1_2", "-tls1_3"))
def test_i6_no_session_is_resumed(scan, port, version):
    """A resumed session could outlive the revocation of its certificate."""
    output = scan(port, version, "-reconnect")
    assert "Reused" not in output and "TLS session ticket:" not in output, output
    assert len(re.findall(r"^New, ", output, re.M)) >= 1
