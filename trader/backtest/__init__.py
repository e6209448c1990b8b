"""Years of history through the same workers, rules, executor and books, as fast as they decide."""
