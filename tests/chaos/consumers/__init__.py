"""The chaos graph's consumers. A worker process finds them as `consumers.<group>`: see hosting.py."""
