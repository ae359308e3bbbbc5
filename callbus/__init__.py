"""The machinery under the consumers: topology, codec, worker, delivery, broker, command line."""
