"""The adapters behind the Broker and Feed ports, one package for each broker."""
