"""MAM v0, masked authenticated messaging: channels, their messages, and who reads them."""
