"""The worker: reads a group's lanes, hands batches to its consumer, commits what came of them exactly once."""
