"""The benchmark of live speech: how many calls at once, and how soon words come. `make bench-live` runs it."""
