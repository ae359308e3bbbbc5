"""The benchmark of the bus: what moving an event costs, beside a bare loop and Faust. `make bench-bus` runs it."""
