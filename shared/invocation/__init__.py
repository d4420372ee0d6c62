"""A call of the functions: how it arrives, what it asks for, and how it is answered."""
