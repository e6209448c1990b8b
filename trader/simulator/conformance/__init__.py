"""Questions that only Alpaca's own service can answer, asked there and of the simulated broker alike."""
