"""An operator's words to the running program: a Unix socket beside the database, and a file HALT."""
