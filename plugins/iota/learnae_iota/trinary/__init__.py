"""Arithmetic and hashes of the trinary world: trytes, Curl and Kerl, one-time signatures, in NumPy and in C."""
