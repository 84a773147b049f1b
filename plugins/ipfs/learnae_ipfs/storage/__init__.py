"""Files on IPFS daemons."""
