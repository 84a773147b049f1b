"""What the operator asks: ``learnae ipfs`` and ``learnae check``."""
