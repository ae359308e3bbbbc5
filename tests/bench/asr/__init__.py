"""The benchmark of recognition: ours beside faster-whisper's own two ways. `make bench-asr` runs it."""
