"""One broker, one warehouse and one zygote for the tests that only kill workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .deployment import Deployment


@pytest.fixture(scope="session")
def deployment() -> Iterator[Deployment]:
    """Processes of the chaos tests' own, so that nothing they do reaches another test."""
    with Deployment() as running:
        yield running
