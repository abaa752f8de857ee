from __future__ import annotations

import pytest


@pytest.fixture
def channel(settings):
    """Point the default channel at a server."""

    def channel(port, **keys):
        settings.CHATITIVE = {
            "API_URLS": {"default": f"chatitive+http://SID:TOKEN@localhost:{port}/CHANNEL"},
            "DISPATCHER": "worker",
            **keys,
        }

    return channel
