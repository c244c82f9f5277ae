"""The services. None imports another; they meet only over gRPC."""
