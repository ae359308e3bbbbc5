"""How the encoder learns from the example corpus what matters to a helpline: `python -m consumers.adapting`."""
