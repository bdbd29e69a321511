"""How many examples a fuzzed test takes: `FUZZ_EXAMPLES`, which are new ones each time.

The suite takes a few, and the same each time.
"""

import os

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))


def fuzz(few: int, cost: int = 1) -> settings:
    """Return the settings of a test that takes a few examples in the suite.

    Args:
        few: how many.
        cost: how many examples of others each of these stands for, where many are taken.
    """
    return settings(
        max_examples=max(EXAMPLES // cost, few),
        derandomize=not EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
