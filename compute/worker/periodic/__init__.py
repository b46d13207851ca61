"""What a worker does every now and then."""
