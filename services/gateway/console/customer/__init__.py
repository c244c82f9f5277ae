"""The pages of a customer, by a signed link."""
