"""All SQL of inventory. Locks are taken in one order: request, reservation, balances by (sku, point)."""
