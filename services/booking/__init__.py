"""Booking: the times at which customers are met, and who has a place in them."""
