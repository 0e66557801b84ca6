from __future__ import annotations

import subprocess
import sys

import gads_extractor


def test_importing_the_package_does_not_import_the_client() -> None:
    program = "import sys, gads_extractor; print({'google.ads', 'grpc', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_every_public_name_is_there_and_no_other() -> None:
    for name in vars(gads_extractor)["__all__"]:
        assert getattr(gads_extractor, name).__name__ == name
    assert not hasattr(gads_extractor, "Nothing")
