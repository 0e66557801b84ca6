"""Over TLS: a private CA is trusted when it is given, and not otherwise."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from gads_conformance.sink.samples import sample_key, sample_payload, sample_run, seal, stored_payload
from gads_domain.adapters import sink_adapter
from gads_domain.errors import ConfigurationError


class QuietHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: Any) -> None:
        pass


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate of 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "ca.pem", folder / "key.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return public, private


@pytest.fixture
def tls_endpoint(tmp_path: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*write_certificate(tmp_path))
    server = make_server(
        "127.0.0.1",
        0,
        DomainDispatcherApplication(create_backend_app),
        threaded=True,
        request_handler=QuietHandler,
        ssl_context=context,
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_private_ca_is_trusted_when_given(tls_endpoint: str, bucket_name: str, tmp_path: Path) -> None:
    url = f"s3://{bucket_name}/raw?endpoint={tls_endpoint}&ca=ca.pem"
    sink = sink_adapter(url).open_sink(url, tmp_path)
    sink.check()
    payload = sample_payload(1, 6 * 1024 * 1024)
    seal(sink, sample_key(), sample_run(), [payload])
    assert stored_payload(sink, sample_key(), sample_run()) == payload


def test_a_certificate_of_an_unknown_ca_is_refused_at_once(tls_endpoint: str, bucket_name: str, tmp_path: Path) -> None:
    url = f"s3://{bucket_name}/raw?endpoint={tls_endpoint}"
    with pytest.raises(ConfigurationError, match="certificate not trusted") as raised:
        sink_adapter(url).open_sink(url, tmp_path).check()
    assert "ca=" in raised.value.hint
