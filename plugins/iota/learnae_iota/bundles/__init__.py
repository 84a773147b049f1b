"""What lies on the ledger: transactions, bundles of them, and the work that lets them in."""
