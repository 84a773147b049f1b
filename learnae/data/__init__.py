"""The operator's rows: tables read in chunks, split by a keyed hash, shuffled on disk, cut into dataslices."""
