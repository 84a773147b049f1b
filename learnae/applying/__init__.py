"""Using the model: out of a peer's state, into a file of its own, onto new rows."""
