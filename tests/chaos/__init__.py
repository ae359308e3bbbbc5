"""The worker among faults: real processes on a real broker, killed, frozen and replaced; then a checker."""
