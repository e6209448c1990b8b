"""A broker's bytes to our messages and back, without any input or output of its own."""
