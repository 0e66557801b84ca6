"""Whether the API's certificate can be verified, where gRPC does not say.

A name has several addresses, and gRPC reports what happened at the last one: behind a proxy that inspects TLS that is
often an IPv6 address without a route, while the certificate was refused at all others.
"""

import os
import socket
import ssl
import time

import certifi


def certificate_fault(target: str, seconds: float = 5.0) -> str | None:
    """Why the certificate at `target`, such as `host:443`, is not trusted; None if it is, or if none was shown.

    Takes `seconds` at most, and trusts what gRPC trusts.
    """
    trusted = os.environ.get("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH") or certifi.where()
    deadline = time.monotonic() + seconds
    for endpoint in target.removeprefix("dns:///").removeprefix("ipv4:").split(","):
        host, _, port = endpoint.rpartition(":")
        host = host.strip("[]")
        try:
            context = ssl.create_default_context(cafile=trusted)
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            continue
        for family, kind, protocol, _, address in addresses:
            try:
                with socket.socket(family, kind, protocol) as plain:
                    plain.settimeout(max(deadline - time.monotonic(), 0.001))
                    plain.connect(address)
                    context.wrap_socket(plain, server_hostname=host).close()
                    return None
            except ssl.SSLCertVerificationError as error:
                return f"{endpoint}: {error.verify_message}"
            except OSError:
                continue
    return None
