"""``migrate prove``: are the promises kept, at these two accounts, that everything here is built on?"""
