"""The rules of stock: pure, without SQL, clock or gRPC."""
