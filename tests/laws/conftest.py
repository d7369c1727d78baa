"""Laws hold under settings: a ritual with a host and a conversation is declared for every community."""

from __future__ import annotations

import pytest
from histories import RITUALS
from pipeline import Lab
from settled import declare

from streams.communities.settings import DEFAULTS, Community, with_built_in


@pytest.fixture(scope="module")
def lab(lab: Lab) -> Lab:
    """The lab of every other test, with the ritual."""
    declare(lab, DEFAULTS, with_built_in(Community(rituals=RITUALS)))
    return lab
