"""The log: typed events, one JSON object a line, told from the journal; what people grep and programs follow."""
