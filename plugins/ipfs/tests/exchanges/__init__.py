"""What Kubo's RPC client sends, and what real daemons answered: recorded by ``record.py``, and replayed without any daemon."""
