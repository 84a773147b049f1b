"""The driver for real peers: asyncio, real ledgers, training in a thread, durable state."""
