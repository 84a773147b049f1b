"""The daemon of a peer: a private one, made, started, adopted and ended here; or somebody else's, only used."""
