"""What may be done with servers, one verb a file."""
