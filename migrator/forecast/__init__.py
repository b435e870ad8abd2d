"""What is to come: time, load, fence and cost, from inventory and plan. Pure: no I/O, no clock."""
