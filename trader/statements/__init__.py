"""A broker's statement in a file, held against our journal and against what the broker itself says it has executed."""
