"""What is asked, and the answer: `Problem` with its loss and norm, and `Network`, both checked once and frozen."""
