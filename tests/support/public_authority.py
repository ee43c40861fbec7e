"""A certificate authority that is not the fleet's, made with openssl: for certificates from files."""

import ssl

from processes import run


class PublicAuthority:
    """`certificate` and `key`: of an authority that is there already, to sign in its name."""

    def __init__(self, folder, certificate=None, key=None):
        self.folder = folder
        folder.mkdir(parents=True)
        self.certificate, self.key = certificate or folder / "ca.pem", key or folder / "ca.key"
        if certificate:
            return
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", self.key, "-out", self.certificate, "-days", "60", "-subj", "/CN=Public")

    def issue(self, name, subject_alternative_names, days=30):
        """(certificate, key): files of a server's certificate."""
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={subject_alternative_names}\n"
                              "extendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n")
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        run("openssl", "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key,
            "-CAcreateserial", "-days", str(days), "-extfile", extensions, "-out", certificate)
        key.chmod(0o600)
        return certificate, key


def shown_certificate(host, port):
    """The certificate that a TLS server shows, as PEM."""
    return ssl.get_server_certificate((host, port), timeout=10)


def as_shown(certificate):
    """The first certificate of a file, written as shown_certificate() writes it."""
    text = certificate.read_text()
    end = "-----END CERTIFICATE-----"
    return ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(text[: text.index(end) + len(end)]))
