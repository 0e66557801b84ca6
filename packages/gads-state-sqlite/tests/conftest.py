import pytest

# Laws are asserts in an installed package; rewritten, they say what they compared.
pytest.register_assert_rewrite("gads_conformance")
