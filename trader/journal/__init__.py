"""The append-only ground truth: every input with what was decided on it, hash-chained, and the tables that follow."""
