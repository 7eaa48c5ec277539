"""What the tests stand on: a private stack, the program under test, and witnesses that nobody here wrote."""
