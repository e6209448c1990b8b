"""Proof from the journal's bytes: each table, each sum, each decision once more, and the first thing that differs."""
