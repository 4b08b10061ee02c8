"""Tests of `ntl_hf.trainers`."""

import pytest

# Its assertions tell of their values, as those of test modules do.
pytest.register_assert_rewrite("tests.trainers.gradients")
