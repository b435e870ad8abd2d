"""The law: which state follows which. No I/O, no asyncio, no clock."""
