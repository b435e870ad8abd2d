"""What people and programs read: human tables and lines, JSON documents, progress."""
