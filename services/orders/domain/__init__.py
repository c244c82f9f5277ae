"""The rules of orders: pure, without SQL, gRPC, clock or randomness."""
