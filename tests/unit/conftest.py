"""What all unit tests share."""

from hypothesis import settings

# A busy machine is no counterexample. What takes too long is for `pytest --durations` to tell.
settings.register_profile("unit", deadline=None)
settings.load_profile("unit")
