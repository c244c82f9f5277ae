"""The rules of slots and bookings: pure, told the time."""
