"""The stories: what happens to an order, in which order, with the waiting and the undoing. No rules, no SQL."""
