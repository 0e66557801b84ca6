"""A real S3 server for tests: Ceph's radosgw with one monitor and one OSD, on loopback, nothing installed.

    python -m gads_testing.s3.radosgw STATE [--store memstore|bluestore] [--megabytes N]

unpacks the distribution's packages once (Debian or Ubuntu, no root needed), starts the three daemons, writes
STATE/ready.json (endpoint, keys of the owner and of a guest without rights) and serves until no process holds a shared
lock on STATE/users, or until SIGTERM. A process that dies releases its lock, so the server never outlives its users.

The packages are kept: see gads_testing.debian_packages.
"""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import getpass
import grp
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from gads_testing.debian_packages import locked, unpacked

PACKAGES = ["radosgw", "ceph-mon", "ceph-osd", "ceph-common", "ceph-base"]
START_SECONDS = 90.0
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("state", type=Path)
    arguments.add_argument("--store", default="memstore", choices=["memstore", "bluestore"])
    arguments.add_argument("--megabytes", type=int, default=3072)
    given = arguments.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ceph = Ceph(unpacked("ceph", PACKAGES), given.state.absolute(), given.store, given.megabytes)
    try:
        ready = ceph.start()
        part = given.state / "ready.json.part"
        part.write_text(json.dumps(ready))
        part.rename(given.state / "ready.json")
        until_unused(given.state / "users")
    finally:
        ceph.stop()


def until_unused(path: Path) -> None:
    """Wait, in a thread so that signals are served, for all shared locks to go."""
    gone = threading.Event()

    def wait() -> None:
        with locked(path, fcntl.LOCK_EX):
            gone.set()

    threading.Thread(target=wait, daemon=True).start()
    while not gone.wait(1.0):
        pass


class Ceph:
    def __init__(self, root: Path, state: Path, store: str, megabytes: int) -> None:
        self._bin = root / "usr" / "bin"
        libraries = next((root / "usr" / "lib").glob("*-linux-gnu"))
        self._run = state / "ceph"
        shutil.rmtree(self._run, ignore_errors=True)
        for name in ("mon", "osd", "rgw"):
            (self._run / name).mkdir(parents=True)
        self._daemons: list[subprocess.Popen[bytes]] = []
        self._rgw_port, self._mon_v1, self._mon_v2 = free_ports(3)
        self._fsid = str(uuid.uuid4())
        self._environment = {
            **os.environ,
            "LD_LIBRARY_PATH": f"{libraries}:{libraries / 'ceph'}:{root / 'lib' / libraries.name}",
            "PYTHONPATH": str(root / "usr" / "lib" / "python3" / "dist-packages"),
            "CEPH_CONF": str(self._run / "ceph.conf"),
        }
        settings = _SETTINGS.format(
            fsid=self._fsid,
            v1=self._mon_v1,
            v2=self._mon_v2,
            run=self._run,
            libraries=libraries,
            store=store,
            size=megabytes * 1024 * 1024,
            port=self._rgw_port,
        )
        (self._run / "ceph.conf").write_text(settings)

    def start(self) -> dict[str, str]:
        self._start_mon()
        self._start_osd()
        rgw = self._daemon("radosgw", "-f", "-n", "client.rgw")
        self._until("radosgw", rgw, self._listens)
        users = {name: (f"radosgw-{name}", secrets.token_hex(20)) for name in ("tests", "guest")}
        for name, (access_key, secret_key) in users.items():
            self._tool(
                *("radosgw-admin", "-n", "client.rgw", "user", "create", f"--uid={name}", f"--display-name={name}"),
                *(f"--access-key={access_key}", f"--secret-key={secret_key}"),
            )
        return {
            "endpoint": f"http://127.0.0.1:{self._rgw_port}",
            "access_key": users["tests"][0],
            "secret_key": users["tests"][1],
            "guest_access_key": users["guest"][0],
            "guest_secret_key": users["guest"][1],
        }

    def stop(self) -> None:
        for daemon in reversed(self._daemons):
            daemon.kill()
            daemon.wait()
        shutil.rmtree(self._run, ignore_errors=True)

    def _start_mon(self) -> None:
        keyring = self._run / "keyring"
        admin = ["--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *"]
        osd = ["--cap", "mon", "allow profile osd", "--cap", "osd", "allow *"]
        self._tool(
            "ceph-authtool", "--create-keyring", str(keyring), "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"
        )
        for name, caps in (("client.admin", admin), ("client.rgw", admin), ("osd.0", osd)):
            self._tool("ceph-authtool", str(keyring), "--gen-key", "-n", name, *caps)
        address = f"[v2:127.0.0.1:{self._mon_v2},v1:127.0.0.1:{self._mon_v1}]"
        monmap = str(self._run / "monmap")
        self._tool("monmaptool", "--create", "--fsid", self._fsid, "--addv", "a", address, monmap)
        self._tool("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", str(keyring))
        mon = self._daemon("ceph-mon", "-i", "a", "-f")
        self._until("ceph-mon", mon, lambda: self._ceph("mon", "stat") is not None)
        self._ceph("auth", "import", "-i", str(keyring))

    def _start_osd(self) -> None:
        number = str(uuid.uuid4())
        self._ceph("osd", "create", number, "0")
        user, group = getpass.getuser(), grp.getgrgid(os.getgid()).gr_name
        self._tool("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", number, "--setuser", user, "--setgroup", group)
        osd = self._daemon("ceph-osd", "-i", "0", "-f")
        self._until("ceph-osd", osd, lambda: "1 up" in (self._ceph("osd", "stat") or ""))

    def _tool(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._bin / name), *arguments], env=self._environment, capture_output=True, text=True, timeout=60
        )
        if done.returncode:
            raise SystemExit(f"{name} failed: {done.stderr[-2000:]}")

    def _ceph(self, *arguments: str) -> str | None:
        command = [str(self._bin / "ceph"), "--connect-timeout", "5", *arguments]
        try:
            done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=15)
        except subprocess.TimeoutExpired:
            return None
        return done.stdout if done.returncode == 0 else None

    def _daemon(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._run / f"{name}.out").open("wb") as output:
            daemon = subprocess.Popen(
                [str(self._bin / name), *arguments],
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent,
            )
        self._daemons.append(daemon)
        return daemon

    def _until(self, name: str, daemon: subprocess.Popen[bytes], is_up: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not is_up():
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{name} did not start: {(self._run / f'{name}.out').read_text()[-2000:]}")
            time.sleep(0.1)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._rgw_port)) == 0


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


# cephx stays on: radosgw hangs without. tcp_nodelay: without it a GET takes 45 ms.
_SETTINGS = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{v2},v1:127.0.0.1:{v1}]
ms bind ipv4 = true
public addr = 127.0.0.1
cluster addr = 127.0.0.1
public network = 127.0.0.0/8
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = true
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
osd pool default pg autoscale mode = off
mon data avail crit = 1
mon data avail warn = 2
mon max pg per osd = 2000
run dir = {run}
admin socket = {run}/$name.asok
log file = {run}/$name.log
pid file = {run}/$name.pid
crash dir = {run}
plugin dir = {libraries}/ceph
erasure code dir = {libraries}/ceph/erasure-code
compressor dir = {libraries}/ceph/compressor
osd class dir = {libraries}/rados-classes
keyring = {run}/keyring
debug mon = 0
debug osd = 0
[mon]
mon data = {run}/mon
mon cluster log file = {run}/cluster.log
[osd]
osd data = {run}/osd
osd journal = {run}/osd/journal
osd objectstore = {store}
bluestore block size = {size}
bluestore block create = true
bluestore fsck on mount = false
osd memory target = 939524096
memstore device bytes = {size}
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw thread pool size = 64
rgw run sync thread = false
rgw data = {run}/rgw
"""


if __name__ == "__main__":
    main()
