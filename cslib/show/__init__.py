"""What a result is and how it is drawn; knows no topic."""
