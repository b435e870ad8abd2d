"""The asyncio shell around the law: load, step, event, checkpoint. Decides nothing the law could decide."""
