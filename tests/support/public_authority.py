"""A CA outside the fleet, made with openssl, for certificates from files."""

import ssl

from processes import run


class PublicAuthority:
    """`certificate` and `key`: files of an existing CA that signs."""

    def __init__(self, folder, certificate=None, key=None):
        self.folder = folder
        folder.mkdir(parents=True)
        self.certificate, self.key = certificate or folder / "ca.pem", key or folder / "ca.key"
        if certificate:
            return
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", self.key, "-out", self.certificate, "-days", "60", "-subj", "/CN=Public")

    def issue(self, name, subject_alternative_names, days=30, usage="serverAuth"):
        """(certificate, key): files of a server certificate, or of another usage."""
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={subject_alternative_names}\n"
                              f"extendedKeyUsage={usage}\nbasicConstraints=CA:FALSE\n")
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        run("openssl", "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key,
            "-CAcreateserial", "-days", str(days), "-extfile", extensions, "-out", certificate)
        key.chmod(0o600)
        return certificate, key

    def issue_client(self, name):
        """A folder in the layout of docker's certs.d, without ca.crt."""
        certificate, key = self.issue(name, f"DNS:{name}", usage="clientAuth")
        folder = self.folder / f"{name}.d"
        folder.mkdir()
        certificate.rename(folder / "client.cert")
        key.rename(folder / "client.key")
        return folder

    def write_list(self, path, *revoked, days=1):
        """Writes a revocation list (PEM) of these certificates."""
        index, config = self.folder / "index.txt", self.folder / "ca.cnf"
        index.write_text("")
        config.write_text(f"[ca]\ndefault_ca=own\n[own]\ndatabase={index}\ndefault_md=sha256\n")
        own = ["-config", config, "-cert", self.certificate, "-keyfile", self.key]
        for certificate in revoked:
            run("openssl", "ca", "-batch", *own, "-revoke", certificate)
        new = path.with_suffix(".new")
        run("openssl", "ca", "-batch", *own, "-gencrl", "-crlsec", str(int(days * 86400)), "-out", new)
        new.replace(path)


def shown_certificate(host, port):
    """The certificate of a TLS server, as PEM."""
    return ssl.get_server_certificate((host, port), timeout=10)


def as_shown(certificate):
    """The first certificate of a file, written as shown_certificate() writes it."""
    text = certificate.read_text()
    end = "-----END CERTIFICATE-----"
    return ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(text[: text.index(end) + len(end)]))
