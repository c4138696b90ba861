"""Types and units of assets/js, run by node: `make types-js test-js`."""

import pytest

pytest.register_assert_rewrite("tests.js.truncation_law")
