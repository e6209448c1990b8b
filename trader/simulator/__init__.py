"""The simulated broker as a server: Alpaca's REST and streams over the venue's books."""
