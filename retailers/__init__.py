"""Retailers as data: what a retailer tells the system before its first order."""
