"""The doors through which calls arrive: each turns its own protocol into events."""
