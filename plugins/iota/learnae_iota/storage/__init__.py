"""Small files on the Tangle."""
