"""The way in: authentication, translation between REST and the services, and the console. Owns no state."""
