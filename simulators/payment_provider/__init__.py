"""A payment provider shaped like Stripe's payment intents. It owns its books and never sees a card number."""
