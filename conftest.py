"""What the tests of all packages have: the fixtures that run commands, and asserts that say what they compared."""

import pytest

pytest.register_assert_rewrite("gads_conformance")
pytest_plugins = ["gads_testing.command_line"]
