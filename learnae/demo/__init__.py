"""Several peers on this machine, each a process of its own: from rows to a table and a picture."""
