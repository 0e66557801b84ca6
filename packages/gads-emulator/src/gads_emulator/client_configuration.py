"""The files with which an unmodified official client finds the emulator, trusts it and signs in."""

import atexit
import json
import os
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from gads_emulator.certificates import process_authority, service_account_key

CA_VARIABLE = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"
"""The variable that names gRPC's trusted certificates; gRPC reads it once, at a process's first channel."""
CONFIGURATION_NAME = "google-ads.yaml"
CA_NAME = "ca.pem"
ADDRESSES_NAME = "emulator.json"
"""The file with every address, for other clients and for tests in other processes."""
KEY_NAME = "service-account.json"
_SERVICE_ACCOUNT = {
    "type": "service_account",
    "project_id": "gads-emulator",
    "private_key_id": "1",
    "client_email": "emulator@gads-emulator.invalid",
    "client_id": "1",
}


def write_client_configuration(
    directory: Path, *, ca_pem: bytes, login_customer_id: str | None, addresses: Mapping[str, object]
) -> Path:
    """Write `ca.pem`, `service-account.json`, `emulator.json` and, last, `google-ads.yaml`; return its path.

    `addresses` is the content of `emulator.json`, with `grpc` and `token_url`. Each file appears complete. The client
    signs in as a service account, with a token from the endpoint that the key file names. `impersonated_email` keeps
    google-auth offline: without a subject it looks up the account's region at a Google host.
    """
    directory = directory.absolute()
    directory.mkdir(parents=True, exist_ok=True)
    key_file = directory / KEY_NAME
    own = {"private_key": service_account_key(), "token_uri": addresses["token_url"]}
    _replace(directory / CA_NAME, ca_pem)
    _replace(key_file, json.dumps(_SERVICE_ACCOUNT | own, indent=2).encode())
    document = {**addresses, "ca": str(directory / CA_NAME), "login_customer_id": login_customer_id}
    _replace(directory / ADDRESSES_NAME, json.dumps(document, indent=2).encode())
    lines = [
        "# Written by gads-emulator. Set the variable below before the client's first call.",
        f"# export {CA_VARIABLE}={json.dumps(str(directory / CA_NAME))}",
        f"endpoint: {addresses['grpc']}",
        f"json_key_file_path: {json.dumps(str(key_file))}",
        "impersonated_email: reports@emulator.invalid",
        "use_proto_plus: True",
    ]
    if login_customer_id is not None:
        lines.append(f'login_customer_id: "{login_customer_id}"')
    configuration = directory / CONFIGURATION_NAME
    _replace(configuration, ("\n".join(lines) + "\n").encode())
    return configuration


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.touch(mode=0o600)
    beside.write_bytes(content)
    beside.replace(path)


@cache
def trust_process_authority() -> Path:
    """Make gRPC clients of this process trust the emulators of this process; return the certificate's path.

    Call it before the process's first gRPC channel: gRPC reads its certificates once. Sets `CA_VARIABLE`, which child
    processes inherit.
    """
    handle, name = tempfile.mkstemp(prefix="gads-emulator-", suffix=".pem")
    with os.fdopen(handle, "wb") as file:
        file.write(process_authority().ca_pem)
    os.environ[CA_VARIABLE] = name
    path = Path(name)
    atexit.register(path.unlink, missing_ok=True)
    return path
