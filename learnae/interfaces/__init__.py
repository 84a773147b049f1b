"""What plugins provide: the four capabilities, how they register, and what they are given when opened."""
