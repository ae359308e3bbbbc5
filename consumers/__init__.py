"""One module per consumer group, named as the group in topology.yaml. Plain code: events in, events out."""
