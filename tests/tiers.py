"""Cases of a test by their tier: some in `make test`, the others in `make test-slow`."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def by_tier(cases: Iterable[Any], slow: Collection[Any]) -> list[Any]:
    """All cases, for `parametrize`; those of `slow` with that mark. Of several parameters, a case is a tuple."""

    def values(case: Any) -> tuple[Any, ...]:
        return case if isinstance(case, tuple) else (case,)

    return [pytest.param(*values(case), marks=pytest.mark.slow) if case in slow else case for case in cases]
