"""How a client and a server reach each other: in plain text, or over TLS.

The certificates are made anew by each run, by one of our programs: a machine need
not have openssl.
"""

import dataclasses

import process

# As gRPC's own test server is called; the certificate is for all of the domain.
DOMAIN = "test.google.fr"


@dataclasses.dataclass
class Security:
    name: str
    # The official flags, for every peer's programs.
    server: list = dataclasses.field(default_factory=list)
    client: list = dataclasses.field(default_factory=list)


PLAIN = Security("plain text")


def tls(binaries, folder):
    process.must([binaries / "test_certificates", folder, f"*.{DOMAIN}"])
    return Security(
        "TLS",
        server=[
            "--use_tls=true",
            f"--tls_cert_file={folder / 'server.pem'}",
            f"--tls_key_file={folder / 'server.key'}",
        ],
        client=[
            "--use_tls=true",
            f"--ca_file={folder / 'ca.pem'}",
            f"--server_host_override=foo.{DOMAIN}",
        ],
    )
