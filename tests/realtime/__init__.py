"""Push, watch and cut off: what knows Channels or asyncio."""
