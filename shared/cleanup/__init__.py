"""A run: which repositories it is about, what it looks at, keeps, deletes and finds out.

`job` is the story in order.
"""
