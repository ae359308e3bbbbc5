"""The events: one `.avsc` per record under `avro/`, the typed records, and the gate that keeps them compatible."""
