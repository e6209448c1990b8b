"""The live run: the tasks put to work with a broker, at its pace, for a session or until somebody stops them."""
