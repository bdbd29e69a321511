"""The site's channel layer, which may be missing, and may be impossible to make."""

import logging
from typing import Any

from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import channel_layers

logger = logging.getLogger("live_single_session")

NOBODY = "live-single-session.nobody"  # is in this group


def find_layer() -> Any:
    """Return the default channel layer; None where there is none, or it can't be made.

    Channels returns None where its constructor raises a ``KeyError``, and says nothing.
    """
    if DEFAULT_CHANNEL_LAYER not in channel_layers:
        return None
    try:
        return channel_layers[DEFAULT_CHANNEL_LAYER]
    except Exception as error:
        reason = type(error).__name__
        logger.error(
            "The channel layer can't be made (%s): tabs learn by their re-check", reason
        )
        return None


def make_layer() -> Any:
    """Return another instance of the default channel layer, with connections of its own.

    Raises:
        Exception: whatever comes of its settings.
    """
    return channel_layers.make_backend(DEFAULT_CHANNEL_LAYER)
