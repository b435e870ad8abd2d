"""Whatever can stand in the way of a rollout: what is asked, when, and what is said of it."""
