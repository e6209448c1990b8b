"""The whole program in one deterministic world: virtual time, a seeded scheduler, faults everywhere, and checkers."""
