"""The self-signed certificate authority of the emulator, and the key of its service account."""

import ssl
from functools import cache
from pathlib import Path
from typing import Self

import trustme

GOOGLE_NAMES = ("googleads.googleapis.com", "oauth2.googleapis.com", "www.googleapis.com", "accounts.google.com")
"""The hosts that the emulator serves for a client that uses it as a proxy and trusts its authority."""
NAMES = ("localhost", "127.0.0.1", "::1")
"""The addresses of the certificate."""


class Authority:
    """A certificate authority with one certificate for loopback."""

    def __init__(self, ca: trustme.CA | None = None) -> None:
        self._ca = ca or trustme.CA()
        self._server = self._ca.issue_cert(*NAMES)

    @property
    def ca_pem(self) -> bytes:
        """The certificate that a client must trust."""
        return self._ca.cert_pem.bytes()

    @property
    def certificate_chain(self) -> bytes:
        """The server's certificates."""
        return b"".join(pem.bytes() for pem in self._server.cert_chain_pems)

    @property
    def private_key(self) -> bytes:
        """The server's private key."""
        return self._server.private_key_pem.bytes()

    def tls_context(self, *names: str) -> ssl.SSLContext:
        """Return a server's TLS context: for loopback, or for the hosts of these names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (self._ca.issue_cert(*names) if names else self._server).configure_cert(context)
        return context

    def save(self, path: Path) -> None:
        """Write the authority with its key, readable only by the owner, for `load`."""
        path.touch(mode=0o600)
        path.write_bytes(self._ca.private_key_pem.bytes() + self._ca.cert_pem.bytes())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        key, mark, certificate = path.read_bytes().partition(b"-----BEGIN CERTIFICATE-----")
        return cls(trustme.CA.from_pem(mark + certificate, key))


@cache
def process_authority() -> Authority:
    """Return the authority that all emulators of this process share.

    gRPC reads its trusted certificates once a process, so a client cannot switch to a second authority.
    """
    return Authority()


@cache
def service_account_key() -> str:
    """Return an RSA private key (PEM) for the service account; google-auth signs with RSA alone."""
    issued = trustme.CA().issue_cert("service-account.invalid", key_type=trustme.KeyType.RSA)
    return issued.private_key_pem.bytes().decode()
