"""The other side of the doors: clients written from the public protocols alone."""
