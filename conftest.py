"""The fixtures that the tests of all packages have."""

pytest_plugins = ["gads_testing.command_line"]
