"""What both drivers share: the effects of the machine carried out, the durable store, the numbers, the journal."""
