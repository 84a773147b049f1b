"""Bytes on the wire and on disk: one spelling for each value, strict decoding, signatures, seals."""
