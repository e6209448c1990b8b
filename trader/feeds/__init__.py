"""Markets to trade on: recorded files, and a synthetic one."""
