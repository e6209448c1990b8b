"""What every test starts from: the exact decimal context of the program.

With Hypothesis installed, pytest-trio makes Trio's scheduler deterministic for the whole session: each batch of
runnable tasks is shuffled by one generator, which Hypothesis seeds inside @given. So the order of tasks is a fresh
one in each plain test, and a repeatable one in a property: a race belongs into a property.
"""

from hypothesis import HealthCheck, settings

from trader.money import use_exact_context

use_exact_context()

# Deadlines are timed asserts: on a busy machine they fail for no reason of ours.
settings.register_profile(
    "trader", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("trader")
