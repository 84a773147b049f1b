"""Nodes of the ledger, and how they are spoken to."""
