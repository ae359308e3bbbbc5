"""What an operator sees of a running process: metrics, health, traces. None of it carries what was said, or names."""
