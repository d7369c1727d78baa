"""One broker, one warehouse and one zygote for the tests that only kill workers."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from .deployment import Deployment

HERE = Path(__file__).parent
# kafka-python sometimes leaves the socket of a closed client to the garbage collector, the more so on a busy machine.
LEFT_SOCKETS = "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hundreds of looks at offsets are taken here; a socket collected late is no fault of the pipeline."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.filterwarnings(LEFT_SOCKETS))


@pytest.fixture(autouse=True)
def _collect_garbage() -> Iterator[None]:
    yield
    gc.collect()  # here, where the filter holds, and not in whatever test comes next


@pytest.fixture(scope="session")
def deployment() -> Iterator[Deployment]:
    """Processes of the chaos tests' own, so that nothing they do reaches another test."""
    with Deployment() as running:
        yield running
