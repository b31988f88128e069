"""What a customer is worth."""
