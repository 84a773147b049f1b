"""Messages between peers through IPFS daemons."""
